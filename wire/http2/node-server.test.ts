// node:http2 as the server of our client.
import * as http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type H2cClient, h2cClient, request } from '../testing/h2c-client.ts';
import { Recorder } from '../testing/recorder.ts';

const open: {
  server?: http2.Http2Server;
  client?: H2cClient;
  sessions: http2.ServerHttp2Session[];
  sockets: Socket[];
} = { sessions: [], sockets: [] };

async function serve(
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  options: http2.ServerOptions = {},
): Promise<H2cClient> {
  const server = http2.createServer(options);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    onStream(stream, headers);
  });
  server.on('session', (session) => open.sessions.push(session));
  server.on('sessionError', () => undefined);
  server.on('connection', (socket: Socket) => open.sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.server = server;
  open.client = await h2cClient((server.address() as AddressInfo).port);
  return open.client;
}

afterEach(async () => {
  open.client?.connection.destroy({ kind: 'closed', reason: 'the test is over' });
  await open.client?.closed;
  expect(open.client?.connection.streamCount).toBe(0);
  for (const session of open.sessions.splice(0)) session.destroy();
  open.sockets = [];
  open.server?.close();
});

const echo = (stream: http2.ServerHttp2Stream) => {
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  let trailers: http2.OutgoingHttpHeaders = {};
  stream.on('trailers', (got) => {
    trailers = got;
  });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.pipe(stream);
};

test('a request and its answer come as they were sent, trailers included', async () => {
  const seen: http2.IncomingHttpHeaders[] = [];
  const { connection } = await serve((stream, headers) => {
    seen.push(headers);
    echo(stream);
  });
  const recorder = new Recorder();
  const requester = connection.request(request({ method: 'POST', target: '/a?b', fields: ['x-one', '1'] }), recorder);
  expect(requester.data(Buffer.from('one '))).toBe('ok');
  requester.data(Buffer.from('two'));
  requester.end(['x-sum', '42']);
  expect(await recorder.outcome()).toEqual({ kind: 'end', trailers: ['x-sum', '42'] });
  expect(recorder.body).toBe('one two');
  expect(recorder.heads).toMatchObject([{ status: 200, bodyBytes: undefined }]);
  expect(seen).toMatchObject([
    { ':method': 'POST', ':path': '/a?b', ':authority': 'localhost', ':scheme': 'http', 'x-one': '1' },
  ]);
});

test('64 MiB come back unchanged, through windows both ways', async () => {
  const { connection } = await serve(echo);
  const chunk = Buffer.alloc(1024 * 1024, 'abcdefghijk');
  const recorder = new Recorder();
  const requester = connection.request(request({ method: 'POST', bodyBytes: 64 * chunk.length }), recorder);
  for (let i = 0; i < 64; i++) {
    if (requester.data(chunk) === 'ok') continue;
    recorder.resumes = 0;
    await recorder.resumed();
  }
  requester.end([]);
  expect(await recorder.outcome()).toMatchObject({ kind: 'end' });
  const body = Buffer.concat(recorder.chunks);
  expect(body.length).toBe(64 * chunk.length);
  for (let i = 0; i < 64; i++)
    expect(body.compare(chunk, 0, chunk.length, i * chunk.length, (i + 1) * chunk.length)).toBe(0);
});

test('1,000 streams at once are all answered', async () => {
  const { connection } = await serve(echo, { settings: { maxConcurrentStreams: 1000 } });
  await expect.poll(() => connection.streamsFree).toBe(1000);
  const recorders = Array.from({ length: 1000 }, (_, index) => {
    const recorder = new Recorder();
    const requester = connection.request(request({ method: 'POST' }), recorder);
    requester.data(Buffer.from(`call ${index}`));
    requester.end([]);
    return recorder;
  });
  expect(connection.streamsFree).toBe(0);
  const refused = new Recorder();
  connection.request(request(), refused).end([]);
  expect(refused.outcomes).toMatchObject([{ kind: 'abort', failure: { kind: 'refused' } }]);
  await Promise.all(recorders.map((recorder) => recorder.outcome()));
  expect(recorders.map(({ body }) => body)).toEqual(recorders.map((_, index) => `call ${index}`));
  expect(connection.streamsFree).toBe(1000);
});

test('a receiver that pauses stops the server at the window, and other streams go on', async () => {
  let slowStream: http2.ServerHttp2Stream | undefined;
  const { connection } = await serve((stream, headers) => {
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/slow') {
      slowStream = stream;
      stream.end(Buffer.alloc(500_000));
    } else stream.end('quick');
  });
  const slow = new Recorder().pauseAll();
  const requester = connection.request(request({ target: '/slow' }), slow);
  requester.end([]);
  await slow.heard(1);
  const quick = new Recorder();
  connection.request(request(), quick).end([]);
  await quick.outcome();
  expect(quick.body).toBe('quick');
  expect(slow.bytes).toBeLessThanOrEqual(65_536);
  expect(slow.outcomes).toEqual([]);
  expect(slowStream?.writableFinished).toBe(false);
  slow.goOn();
  requester.resume();
  await slow.outcome();
  expect(slow.bytes).toBe(500_000);
});

test('a whole answer is handed on to its end, though the connection has gone meanwhile', async () => {
  const { connection, closed } = await serve((stream) => {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(60_000));
    const { session } = stream;
    stream.on('close', () => session?.close());
  });
  const recorder = new Recorder().pauseAll();
  const requester = connection.request(request(), recorder);
  requester.end([]);
  await closed;
  expect(recorder.outcomes).toEqual([]);
  recorder.goOn();
  requester.resume();
  expect(await recorder.outcome()).toMatchObject({ kind: 'end' });
  expect(recorder.bytes).toBe(60_000);
});

test('a server that does not read stops the source of the request', async () => {
  let reading: http2.ServerHttp2Stream | undefined;
  const { connection } = await serve((stream) => {
    reading = stream;
    stream.respond({ ':status': 200 });
  });
  const recorder = new Recorder();
  const requester = connection.request(request({ method: 'POST' }), recorder);
  await recorder.headed();
  let sent = 0;
  while (requester.data(Buffer.alloc(16_384)) === 'ok') sent += 16_384;
  expect(sent).toBeLessThan(300_000);
  reading?.resume();
  await recorder.resumed();
  requester.end([]);
  reading?.end('done');
  expect(await recorder.outcome()).toMatchObject({ kind: 'end' });
});

test('informational responses, HEAD and 304 are heard as they are', async () => {
  const { connection } = await serve((stream, headers) => {
    stream.additionalHeaders({ ':status': 103, link: '</a>' });
    stream.respond({ ':status': headers[':method'] === 'HEAD' ? 200 : 304, 'content-length': 5 }, { endStream: true });
  });
  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 304],
  ] as const) {
    const recorder = new Recorder();
    connection.request(request({ method }), recorder).end([]);
    expect(await recorder.outcome()).toEqual({ kind: 'end', trailers: [] });
    expect(recorder.informationals).toEqual([{ status: 103, fields: ['link', '</a>'] }]);
    expect(recorder.heads).toMatchObject([{ status, bodyBytes: 5 }]);
    expect(recorder.bytes).toBe(0);
  }
});

test('what the server refuses or resets is told apart', async () => {
  const { connection } = await serve((stream, headers) => {
    stream.close(
      headers[':path'] === '/refused' ? http2.constants.NGHTTP2_REFUSED_STREAM : http2.constants.NGHTTP2_INTERNAL_ERROR,
    );
  });
  for (const [target, kind] of [
    ['/refused', 'refused'],
    ['/reset', 'reset'],
  ] as const) {
    const recorder = new Recorder();
    connection.request(request({ target }), recorder);
    expect(await recorder.outcome()).toMatchObject({ kind: 'abort', failure: { kind } });
    expect(recorder.outcomes).toHaveLength(1);
  }
});

test('a caller that gives up is heard of by the server, and hears nothing more itself', async () => {
  const codes: number[] = [];
  const { connection } = await serve((stream) => {
    stream.on('close', () => codes.push(stream.rstCode));
    stream.respond({ ':status': 200 });
    stream.write('a');
  });
  const recorder = new Recorder();
  const requester = connection.request(request(), recorder);
  await recorder.heard(1);
  requester.cancel({ kind: 'reset', reason: 'enough' });
  await expect.poll(() => codes).toEqual([http2.constants.NGHTTP2_CANCEL]);
  expect(requester.data(Buffer.from('b'))).toBe('ok');
  requester.end([]);
  expect(recorder.outcomes).toEqual([]);
});

test('an early answer ends the stream though the request is not complete', async () => {
  const { connection } = await serve((stream) => stream.respond({ ':status': 413 }, { endStream: true }));
  const recorder = new Recorder();
  const requester = connection.request(request({ method: 'POST' }), recorder);
  requester.data(Buffer.from('a'));
  expect(await recorder.outcome()).toMatchObject({ kind: 'end' });
  expect(recorder.status).toBe(413);
  expect(connection.streamCount).toBe(0);
  expect(requester.data(Buffer.from('b'))).toBe('ok');
});

test('GOAWAY: what the server has not looked at may be sent again, the rest is answered, and the connection ends', async () => {
  let hold: http2.ServerHttp2Stream | undefined;
  const { connection, closed } = await serve((stream) => {
    hold = stream;
  });
  const first = new Recorder();
  connection.request(request(), first).end([]);
  await expect.poll(() => hold !== undefined).toBe(true);
  open.sessions[0]?.goaway(0, 1);
  const second = new Recorder();
  connection.request(request(), second).end([]);
  expect(await second.outcome()).toMatchObject({ kind: 'abort', failure: { kind: 'refused' } });
  expect(connection.isUsable).toBe(false);
  expect(connection.streamsFree).toBe(0);
  const third = new Recorder();
  connection.request(request(), third);
  expect(third.outcomes).toMatchObject([{ kind: 'abort', failure: { kind: 'refused' } }]);
  hold?.respond({ ':status': 200 }, { endStream: true });
  expect(await first.outcome()).toMatchObject({ kind: 'end' });
  expect(await closed).toEqual({ kind: 'closed', reason: 'drained' });
});

test('a drain lets what is under way end, and the connection with it', async () => {
  let hold: http2.ServerHttp2Stream | undefined;
  const { connection, closed } = await serve((stream) => {
    hold = stream;
  });
  const recorder = new Recorder();
  connection.request(request(), recorder).end([]);
  await expect.poll(() => hold !== undefined).toBe(true);
  connection.drain();
  expect(connection.isUsable).toBe(false);
  hold?.respond({ ':status': 200 }, { endStream: true });
  expect(await recorder.outcome()).toMatchObject({ kind: 'end' });
  expect(await closed).toEqual({ kind: 'closed', reason: 'drained' });
});

test('pings are answered, in order', async () => {
  const { connection } = await serve(echo);
  const answered: number[] = [];
  await new Promise<void>((resolve) => {
    connection.ping(() => answered.push(1));
    connection.ping(() => answered.push(2));
    connection.ping(resolve);
  });
  expect(answered).toEqual([1, 2]);
  expect(connection.areSettingsAcknowledged).toBe(true);
});

test('a tunnel through CONNECT carries bytes both ways', async () => {
  const seen: http2.IncomingHttpHeaders[] = [];
  const { connection } = await serve(
    (stream, headers) => {
      seen.push(headers);
      echo(stream);
    },
    { settings: { enableConnectProtocol: true } },
  );
  await expect.poll(() => connection.takesExtendedConnect).toBe(true);
  const plain = new Recorder();
  const tunnel = connection.request(request({ method: 'CONNECT', target: 'db:5432' }), plain);
  await plain.headed();
  tunnel.data(Buffer.from('ping'));
  await plain.heard(4);
  tunnel.end([]);
  await plain.outcome();
  const extended = new Recorder();
  const chat = connection.request(request({ method: 'CONNECT', target: '/chat', upgrade: 'websocket' }), extended);
  chat.data(Buffer.from('ping'));
  await extended.heard(4);
  chat.end([]);
  await extended.outcome();
  expect(seen[0]).toMatchObject({ ':method': 'CONNECT', ':authority': 'db:5432' });
  expect(seen[0]?.[':path']).toBeUndefined();
  expect(seen[1]).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' });
});

test('a server that dies ends every call once', async () => {
  const { connection } = await serve((stream) => stream.respond({ ':status': 200 }));
  const recorders = Array.from({ length: 10 }, () => new Recorder());
  for (const recorder of recorders) connection.request(request(), recorder);
  await Promise.all(recorders.map((recorder) => recorder.headed()));
  for (const socket of open.sockets) socket.resetAndDestroy();
  for (const recorder of recorders)
    expect(await recorder.outcome()).toMatchObject({ kind: 'abort', failure: { kind: 'closed' } });
  expect(recorders.every(({ outcomes }) => outcomes.length === 1)).toBe(true);
});
