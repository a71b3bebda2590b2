// node:http2 as the client of our server.
import { once } from 'node:events';
import * as http2 from 'node:http2';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { RequestHead, Responder, Serve, WireFailure } from '../message.ts';
import { echo, type H2cServer, h2cServer } from '../testing/h2c-server.ts';
import { Recorder } from '../testing/recorder.ts';

const open: { server?: H2cServer; session?: http2.ClientHttp2Session } = {};

async function connect(
  serve: Serve = echo,
  options: Parameters<typeof h2cServer>[1] = {},
  settings: http2.Settings = {},
): Promise<http2.ClientHttp2Session> {
  open.server = await h2cServer(serve, options);
  open.session = http2.connect(`http://127.0.0.1:${open.server.port}`, { settings });
  open.session.on('error', () => undefined);
  await once(open.session, 'remoteSettings');
  return open.session;
}

const streamCount = () => [...(open.server?.connections ?? [])].reduce((sum, { streamCount }) => sum + streamCount, 0);

afterEach(async () => {
  open.session?.destroy();
  await open.server?.close();
  expect(streamCount()).toBe(0);
});

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly trailers: http2.IncomingHttpHeaders;
  readonly headers: http2.IncomingHttpHeaders;
}

async function answerTo(stream: http2.ClientHttp2Stream): Promise<Answer> {
  const chunks: Buffer[] = [];
  let trailers: http2.IncomingHttpHeaders = {};
  let headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('trailers', (got: http2.IncomingHttpHeaders) => {
    trailers = got;
  });
  stream.on('response', (got) => {
    headers = got;
  });
  await once(stream, 'close');
  return { status: headers[':status'] ?? 0, body: Buffer.concat(chunks), trailers, headers };
}

/** Keeps what it was asked, and answers when told to. */
function kept(receiver = new Recorder()): {
  serve: Serve;
  heads: RequestHead[];
  responders: Responder[];
  receiver: Recorder;
} {
  const heads: RequestHead[] = [];
  const responders: Responder[] = [];
  const serve: Serve = (head, responder) => {
    heads.push(head);
    responders.push(responder);
    return receiver;
  };
  return { serve, heads, responders, receiver };
}

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds).toBe(true);
}

test('a request comes as it was sent: method, path, authority, fields in order, cookies as one', async () => {
  const { serve, heads, responders } = kept();
  const session = await connect(serve);
  const stream = session.request({
    ':method': 'PATCH',
    ':path': '/a?b',
    'x-one': '1',
    cookie: ['a=1', 'b=2'],
    te: 'trailers',
  });
  stream.end();
  await until(() => responders.length === 1);
  expect(heads[0]).toMatchObject({
    method: 'PATCH',
    target: '/a?b',
    authority: `127.0.0.1:${open.server?.port}`,
    scheme: 'http',
    fields: ['x-one', '1', 'cookie', 'a=1; b=2', 'te', 'trailers'],
    expectsContinue: false,
  });
  responders[0]?.head({ status: 204, fields: ['x-two', '2'], bodyBytes: 0 });
  responders[0]?.end([]);
  expect(await answerTo(stream)).toMatchObject({ status: 204, headers: { 'x-two': '2' } });
});

test('bodies and trailers pass both ways', async () => {
  const session = await connect();
  const stream = session.request({ ':method': 'POST' }, { waitForTrailers: true } as http2.ClientSessionRequestOptions);
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
  stream.write('one ');
  stream.end('two');
  const answer = await answerTo(stream);
  expect(answer.body.toString()).toBe('one two');
  expect(answer.trailers).toMatchObject({ 'x-sum': '42' });
});

test('64 MiB come back unchanged, through windows both ways', async () => {
  const session = await connect();
  const stream = session.request({ ':method': 'POST' });
  const chunk = Buffer.alloc(1024 * 1024, 'abcdefghijk');
  const answered = answerTo(stream);
  for (let i = 0; i < 64; i++) {
    if (!stream.write(chunk)) await once(stream, 'drain');
  }
  stream.end();
  const { body } = await answered;
  expect(body.length).toBe(64 * chunk.length);
  for (let i = 0; i < 64; i++)
    expect(body.compare(chunk, 0, chunk.length, i * chunk.length, (i + 1) * chunk.length)).toBe(0);
});

test('1,000 streams at once are all answered', async () => {
  const session = await connect(echo, { streamsMax: 1000 });
  const bodies = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const stream = session.request({ ':method': 'POST' });
      stream.end(`call ${index}`);
      return (await answerTo(stream)).body.toString();
    }),
  );
  expect(bodies).toEqual(bodies.map((_, index) => `call ${index}`));
});

test('a client that does not read stops the source of its stream, and no other', async () => {
  const { serve, responders, receiver } = kept();
  const session = await connect(serve, {}, { initialWindowSize: 100_000 });
  const slow = session.request();
  await until(() => responders.length === 1);
  const [responder] = responders;
  responder?.head({ status: 200, fields: [], bodyBytes: undefined });
  const flows = Array.from({ length: 40 }, () => responder?.data(Buffer.alloc(10_000)));
  expect(flows.slice(0, 9)).toEqual(Array(9).fill('ok'));
  expect(flows.at(-1)).toBe('pause');
  expect(receiver.resumes).toBe(0);
  const quick = session.request();
  await until(() => responders.length === 2);
  responders[1]?.head({ status: 200, fields: [], bodyBytes: 5 });
  responders[1]?.data(Buffer.from('quick'));
  responders[1]?.end([]);
  expect((await answerTo(quick)).body.toString()).toBe('quick');
  responder?.end([]);
  expect((await answerTo(slow)).body.length).toBe(400_000);
});

test('a receiver that pauses stops the client at its window, and lets it go on', async () => {
  const { serve, responders, receiver } = kept(new Recorder().pauseAll());
  const session = await connect(serve);
  const stream = session.request({ ':method': 'POST' });
  stream.on('error', () => undefined);
  stream.end(Buffer.alloc(300_000));
  await receiver.heard(1);
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => session.ping(() => resolve()));
  expect(stream.writableLength).toBeGreaterThan(0);
  expect(receiver.bytes).toBeLessThanOrEqual(65_536);
  receiver.goOn();
  responders[0]?.resume();
  await receiver.outcome();
  expect(receiver.bytes).toBe(300_000);
  responders[0]?.head({ status: 200, fields: [], bodyBytes: 0 });
  responders[0]?.end([]);
  expect((await answerTo(stream)).status).toBe(200);
});

test('an early answer reaches a client that still sends, and the stream ends', async () => {
  const { serve, responders, receiver } = kept();
  const session = await connect(serve);
  const stream = session.request({ ':method': 'POST' });
  stream.on('error', () => undefined);
  stream.write('a');
  await until(() => receiver.bytes === 1);
  responders[0]?.head({ status: 413, fields: [], bodyBytes: 0 });
  responders[0]?.end([]);
  expect((await answerTo(stream)).status).toBe(413);
  expect(receiver.outcomes).toEqual([]);
  expect(streamCount()).toBe(0);
});

test('informational responses come before the head', async () => {
  const { serve, responders, heads } = kept();
  const session = await connect(serve);
  const stream = session.request({ ':method': 'POST', expect: '100-continue' });
  const continued = once(stream, 'continue');
  await until(() => responders.length === 1);
  expect(heads[0]).toMatchObject({ expectsContinue: true, fields: [] });
  const [responder] = responders;
  responder?.informational(100, []);
  responder?.informational(103, ['link', '</a>']);
  await continued;
  stream.end('a');
  responder?.head({ status: 200, fields: [], bodyBytes: undefined });
  responder?.end([]);
  expect((await answerTo(stream)).status).toBe(200);
});

test.each([
  ['HEAD', 200],
  ['GET', 204],
  ['GET', 304],
])('the answer to %s with %i has no body, whatever the app pushes', async (method, status) => {
  const { serve, responders } = kept();
  const session = await connect(serve);
  const stream = session.request({ ':method': method });
  await until(() => responders.length === 1);
  const [responder] = responders;
  responder?.head({ status, fields: ['content-length', '5'], bodyBytes: 5 });
  expect(responder?.data(Buffer.from('hello'))).toBe('ok');
  responder?.end([]);
  expect(await answerTo(stream)).toMatchObject({ status, body: Buffer.alloc(0) });
});

test('a client that gives up is heard of once, before and after the end of its request', async () => {
  const [early, late] = [new Recorder(), new Recorder()];
  const receivers = [early, late];
  const session = await connect(() => receivers.shift() ?? new Recorder());
  const first = session.request({ ':method': 'POST' });
  const second = session.request({ ':method': 'POST' });
  for (const stream of [first, second]) stream.on('error', () => undefined);
  second.end('a');
  await late.outcome();
  first.destroy();
  second.close(http2.constants.NGHTTP2_CANCEL);
  expect(await early.outcome()).toMatchObject({ kind: 'abort', failure: { kind: 'reset' } });
  await until(() => late.outcomes.length === 2);
  expect(late.outcomes).toMatchObject([{ kind: 'end' }, { kind: 'cancel', failure: { kind: 'reset' } }]);
});

test('an app that gives up ends the stream, and the connection lives on', async () => {
  const session = await connect((_head, responder) => {
    responder.abort({ kind: 'refused', reason: 'not now' });
    return new Recorder();
  });
  const stream = session.request();
  const [error] = (await once(stream, 'error')) as [{ code: string; message: string }];
  expect(error.message).toContain('NGHTTP2_REFUSED_STREAM');
  expect(session.destroyed).toBe(false);
});

test('CONNECT and extended CONNECT are tunnels', async () => {
  const heads: RequestHead[] = [];
  const serve: Serve = (head, responder) => {
    heads.push(head);
    return echo(head, { ...bound(responder), head: (answer) => responder.head({ ...answer, status: 101 }) });
  };
  const session = await connect(serve, { offersTunnels: true });
  expect(session.remoteSettings.enableConnectProtocol).toBe(true);
  const stream = session.request(
    { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' },
    { endStream: false },
  );
  stream.write('ping');
  const [response] = (await once(stream, 'response')) as [http2.IncomingHttpStatusHeader];
  expect(response[':status']).toBe(200);
  expect((await once(stream, 'data')).toString()).toBe('ping');
  stream.end();
  await once(stream, 'close');
  expect(heads[0]).toMatchObject({ method: 'CONNECT', upgrade: 'websocket', target: '/chat' });
});

function bound(responder: Responder): Responder {
  return {
    informational: (status, fields) => responder.informational(status, fields),
    head: (head) => responder.head(head),
    data: (chunk) => responder.data(chunk),
    end: (trailers) => responder.end(trailers),
    abort: (failure) => responder.abort(failure),
    resume: () => responder.resume(),
    cancel: (failure) => responder.cancel(failure),
  };
}

test('a drain serves what is under way, and the connection ends with the last stream', async () => {
  const { serve, responders } = kept();
  const session = await connect(serve);
  const stream = session.request();
  await until(() => responders.length === 1);
  const gone = once(session, 'close');
  const goaways: number[] = [];
  session.on('goaway', (code, lastId) => goaways.push(code, lastId));
  for (const connection of open.server?.connections ?? []) connection.drain();
  await until(() => goaways.length >= 2);
  responders[0]?.head({ status: 200, fields: [], bodyBytes: undefined });
  responders[0]?.end([]);
  expect((await answerTo(stream)).status).toBe(200);
  await gone;
  await until(() => open.server?.ends.length === 1);
  expect(open.server?.ends).toEqual([{ kind: 'closed', reason: 'drained' }]);
});

test('a head beyond the bounds is answered with 431, and the connection lives on', async () => {
  const session = await connect(echo, { headBytesMax: 2000, headFieldsMax: 20 });
  const long = session.request({ 'x-long': 'a'.repeat(3000) });
  expect((await answerTo(long)).status).toBe(431);
  const many = session.request(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x-${i}`, 'a'])));
  expect((await answerTo(many)).status).toBe(431);
  await nextTurn();
  expect((await answerTo(session.request())).status).toBe(200);
});

test('a head beyond the bounds is refused in the words of whoever serves, whether or not a body follows', async () => {
  const failures: WireFailure[] = [];
  const body = Buffer.from('too large');
  const session = await connect(echo, {
    headBytesMax: 2000,
    refusal: (failure, status) => {
      failures.push(failure);
      return { head: { status, fields: ['x-why', failure.reason], bodyBytes: body.length }, body };
    },
  });
  const headers = { ':method': 'POST', 'x-long': 'a'.repeat(3000) };
  for (const endStream of [true, false]) {
    const answer = await answerTo(session.request(headers, { endStream }));
    expect(answer).toMatchObject({ status: 431, headers: { 'x-why': 'head-bytes' }, body });
  }
  expect(failures).toEqual(Array(2).fill({ kind: 'limit', reason: 'head-bytes' }));
  expect((await answerTo(session.request())).status).toBe(200);
});

test('a head of several frames is read and written', async () => {
  const long = 'a'.repeat(50_000);
  const session = await connect((head, responder) => {
    responder.head({ status: 200, fields: head.fields, bodyBytes: 0 });
    responder.end(['x-trailer', long]);
    return new Recorder();
  });
  const answer = await answerTo(session.request({ 'x-long': long }));
  expect(answer.headers['x-long']).toBe(long);
  expect(answer.trailers['x-trailer']).toBe(long);
});
