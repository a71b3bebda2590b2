// The app API on one socket: what a request becomes, what is said to what is none, and how connections end.
import { once } from 'node:events';
import type { Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OutboundCall } from '../../api/call.ts';
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { type FaultCode, fault } from '../../api/fault.ts';
import { type Headers, headerValue } from '../../api/headers.ts';
import { type LogFields, silentLog } from '../../kit/log.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { PREFACE } from '../../wire/http2/protocol.ts';
import { exchangeRaw, expectFault, parseRaw, RawClient, send } from '../contract/testing.ts';
import { Http2Caller } from '../contract/testing-http2.ts';
import { NOTHING_OUTSIDE } from '../external/outside.ts';
import { identityOf } from '../testing/mesh.ts';
import { AppHttp, type AppHttpDeps } from './app-http.ts';

/** A call as the way out would see it: what was pushed into it, and a hand on its reply. */
class OpenedCall implements RequestEnd {
  readonly call: OutboundCall;
  readonly reply: ReplyEnd;
  readonly said: string[] = [];
  flow: Flow = 'ok';

  constructor(call: OutboundCall, reply: ReplyEnd) {
    this.call = call;
    this.reply = reply;
  }

  data(chunk: Buffer): Flow {
    this.said.push(`data ${chunk.toString('latin1')}`);
    return this.flow;
  }

  end(trailers: Headers): void {
    this.said.push(`end ${trailers.join()}`.trim());
  }

  abort(reason: { readonly code: string }): void {
    this.said.push(`abort ${reason.code}`);
  }

  cancel(reason: { readonly code: string }): void {
    this.said.push(`cancel ${reason.code}`);
  }

  resume(): void {
    this.said.push('resume');
  }

  answer(body: string): void {
    this.reply.head({ status: 200, headers: [], bodyBytes: body.length });
    this.reply.data(Buffer.from(body));
    this.reply.end([]);
  }
}

let clock: ManualClock;
let app: AppHttp;
let server: Server;
let port: number;
let opened: OpenedCall[];
let offences: string[];
let logged: (string | LogFields | undefined)[][];
let onOpen: (call: OpenedCall) => void;

beforeEach(async () => {
  clock = manualClock();
  [opened, offences, logged, onOpen] = [[], [], [], () => undefined];
  const say = (message: string, fields?: LogFields) => void logged.push([message, fields]);
  const deps: AppHttpDeps = {
    open(call, reply) {
      const one = new OpenedCall(call, reply);
      opened.push(one);
      onOpen(one);
      return one;
    },
    self: identityOf('web'),
    outside: NOTHING_OUTSIDE.rules,
    bodyBytesMax: 1024,
    hopsMax: 32,
    upgradeProtocols: [],
    statuses: 'honest',
    clock,
    random: () => 0.5,
    log: { ...silentLog, warn: say, error: say },
    countOffence: (rule) => void offences.push(rule),
    rules: { apiToken: undefined, allowedOrigins: [], allowedHosts: [] },
    routes: [{ method: 'GET', path: '/v1.0/healthz', isOpenToAll: true, answer: () => ({ status: 204 }) }],
  };
  app = new AppHttp(deps);
  server = app.server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = portOf(server);
});
afterEach(async () => {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  app.destroy();
  await closed;
});

const head = (line: string, ...fields: string[]) =>
  `${line} HTTP/1.1\r\nHost: localhost\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
const get = (...fields: string[]) => head('GET /v1.0/invoke/orders/method/x', ...fields);
const post = (...fields: string[]) => head('POST /v1.0/invoke/orders/method/x', ...fields);

async function callOf(bytes: string): Promise<{ client: RawClient; call: OpenedCall }> {
  const client = await RawClient.connect(port);
  client.write(bytes);
  await expect.poll(() => opened.length).toBe(1);
  const [call] = opened;
  if (call === undefined) throw new Error('no call came');
  return { client, call };
}

describe('a bug that a request finds', () => {
  test('is 500 for its caller, a line in the log, and nothing to anybody else', async () => {
    onOpen = () => {
      throw new Error('a bug');
    };
    const answer = await send(port, { method: 'POST', path: '/v1.0/invoke/orders/method/x', body: 'x' });
    expect(expectFault(answer, 'internal')).not.toContain('a bug"');
    expect(logged).toEqual([['a bug in the app API', expect.objectContaining({ reason: 'Error: a bug' })]]);
    expect((await send(port, { path: '/v1.0/healthz' })).status).toBe(204);
  });

  test('in the middle of an answer breaks that off', async () => {
    onOpen = ({ reply }) => {
      reply.head({ status: 200, headers: [], bodyBytes: undefined });
      reply.data(Buffer.from('half'));
      throw new Error('a bug');
    };
    const received = await exchangeRaw(port, get());
    expect(received).toMatch(/^HTTP\/1\.1 200 .*half\r\n$/s);
  });
});

describe('a request', () => {
  test('becomes a call with its body and its trailers, and their answer goes back on the same connection', async () => {
    const { client, call } = await callOf(`${post('Transfer-Encoding: chunked', 'X-A: \xe9')}2\r\nhi\r\n`);
    client.write('0\r\nX-Sum: 1\r\nDapr-Caller-App-Id: forged\r\n\r\n');
    await expect.poll(() => call.said).toEqual(['data hi', 'end x-sum,1']);
    expect(call.call).toMatchObject({ kind: 'http', method: 'POST', path: '/x', bodyBytes: undefined });
    expect(headerValue(call.call.headers, 'x-a')).toBe('\xe9');
    call.answer('there');
    expect(await client.until(/there/)).toMatch(/^HTTP\/1\.1 200 /);
    client.write(head('GET /v1.0/healthz'));
    await client.until(/HTTP\/1\.1 204 /);
    client.socket.destroy();
  });

  test('that pauses is read no further until it goes on', async () => {
    onOpen = (call) => {
      call.flow = 'pause';
    };
    const { client, call } = await callOf(`${post('Content-Length: 2')}a`);
    await expect.poll(() => call.said).toEqual(['data a']);
    client.write('b');
    call.flow = 'ok';
    call.reply.resume();
    await expect.poll(() => call.said).toEqual(['data a', 'data b', 'end']);
    client.socket.destroy();
  });

  test.each(['h2c', 'HTTP/2.0', 'TLS/1.3', 'talk'])(
    'that asks for %s, which is not carried, is a call like any other, whole with its head',
    async (protocol) => {
      const { client, call } = await callOf(get('Connection: Upgrade', `Upgrade: ${protocol}`));
      expect(call.said).toEqual(['end']);
      expect(call.call.kind).toBe('http');
      expect(headerValue(call.call.headers, 'upgrade')).toBeUndefined();
      client.socket.destroy();
      await expect.poll(() => call.said).toEqual(['end', 'cancel cancelled']);
    },
  );

  test('that asks for WebSocket is a tunnel, with no end before that of the tunnel', async () => {
    const { client, call } = await callOf(get('Connection: Upgrade', 'Upgrade: WebSocket'));
    expect(call.said).toEqual([]);
    expect(call.call).toMatchObject({ kind: 'tunnel', protocol: 'websocket', bodyBytes: undefined });
    client.socket.destroy();
  });

  test.each([
    ['before its end', post('Content-Length: 5'), ['abort cancelled']],
    ['before its answer', get(), ['end', 'cancel cancelled']],
  ])('whose sender goes away %s ends its call', async (_, bytes, said) => {
    const { client, call } = await callOf(bytes);
    client.socket.destroy();
    await expect.poll(() => call.said).toEqual(said);
  });

  test('that is answered before its end costs no connection when little of it is left', async () => {
    onOpen = (call) => call.reply.abort(fault('unknown-app', 'nobody'));
    const { client, call } = await callOf(post('Content-Length: 5'));
    await client.until(/unknown-app/);
    client.write(`hello${head('GET /v1.0/healthz')}`);
    expect(await client.until(/HTTP\/1\.1 204 /)).not.toContain('connection: close');
    expect(call.said).toEqual([]);
    client.socket.destroy();
  });

  test.each([
    ['CONNECT', 'CONNECT localhost HTTP/1.1\r\nHost: localhost\r\n\r\n', 'bad-request'],
    ['CONNECT with a port', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n', 'method-refused'],
    ['a verb that nobody knows', head('BREW /x'), 'bad-request'],
    ['an expectation that nobody knows', get('Expect: tea'), 'bad-request'],
  ] as const)('%s is refused, and nothing behind it is read', async (_, bytes, code) => {
    const received = await exchangeRaw(port, bytes + get());
    expectFault(parseRaw(received), code);
    expect(received.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(opened).toEqual([]);
  });
});

describe('what is no request', () => {
  const rows: readonly (readonly [what: string, bytes: string, rule: string, code: FaultCode, says: RegExp])[] = [
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 'host-missing', 'bad-request', /no Host/],
    ['two hosts', head('GET /', 'Host: localhost'), 'host-twice', 'bad-request', /more than one Host/],
    ['a host that is none', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 'host', 'origin-refused', /--allowed-hosts/],
    ['another host', head('GET http://b/'), 'host-is-not-the-target', 'origin-refused', /--allowed-hosts/],
    ['another host to connect to', head('CONNECT b:80'), 'connect-host', 'method-refused', /any other verb/],
    ['a fragment', head('GET /#a'), 'target', 'bad-request', /percent-encode/],
    ['a name for a target', head('GET a'), 'target-form', 'bad-request', /begin it with a slash/],
    ['no verb', '{"a": 1}\r\n', 'method', 'bad-request', /no HTTP verb/],
    ['too many fields', head('GET /', ...Array(128).fill('a: b')), 'head-fields', 'headers-too-large', /128/],
    ['too large a head', head('GET /', `a: ${'b'.repeat(65_536)}`), 'head-bytes', 'headers-too-large', /65536/],
    [
      'another coding',
      post('Transfer-Encoding: gzip, chunked'),
      'transfer-coding',
      'unimplemented',
      /chunked, said once/,
    ],
    ['no last coding', post('Transfer-Encoding: gzip'), 'transfer-encoding', 'bad-request', /where the body ends/],
    ['two lengths', post('Content-Length: 1', 'Content-Length: 1'), 'content-length-twice', 'bad-request', /RFC 9112/],
  ];

  test.each(rows)('%s is refused in words for people, and counted by its rule', async (_, bytes, rule, code, says) => {
    expect(expectFault(parseRaw(await exchangeRaw(port, bytes)), code)).toMatch(says);
    expect(offences).toEqual([rule]);
    expect(opened).toEqual([]);
  });

  test('is logged once a second at most', async () => {
    for (let i = 0; i < 3; i++) await exchangeRaw(port, 'garbage\r\n\r\n');
    clock.advance(1000);
    await exchangeRaw(port, 'GET / HTTP/1.1\r\n\r\n');
    expect(offences).toEqual(['method', 'method', 'method', 'host-missing']);
    const message = expect.any(String);
    expect(logged).toEqual([
      [message, { rule: 'method', unlogged: 0 }],
      [message, { rule: 'host-missing', unlogged: 2 }],
    ]);
  });

  test('over HTTP/2 is counted, too: what is too large by its bound, frames all together', async () => {
    const caller = await Http2Caller.connect(port);
    const fields = Array.from({ length: 2 * 129 }, (_, i) => (i % 2 === 0 ? `x-${i}` : 'v'));
    expectFault(await caller.send({ path: '/', headers: fields }), 'headers-too-large');
    expect(offences).toEqual(['head-fields']);
    await caller.close();
    const client = await RawClient.connect(port);
    client.write(Buffer.concat([PREFACE, Buffer.alloc(9)]));
    await client.ended;
    clock.advance(1000);
    await expect.poll(() => offences).toEqual(['head-fields', 'http2-frames']);
    expect(logged.map(([, said]) => said)).toMatchObject([
      { rule: 'head-fields' },
      { rule: 'http2-frames', reason: 'DATA on stream 0' },
    ]);
    client.socket.destroy();
  });

  test('in the middle of a request ends its call', async () => {
    const { client, call } = await callOf(`${post('Transfer-Encoding: chunked')}2\r\nhi\r\n`);
    client.write('no chunk\r\n');
    expectFault(parseRaw(await client.ended), 'bad-request');
    expect(call.said).toEqual(['data hi', 'abort bad-request']);
    client.socket.destroy();
  });
});

describe('a connection', () => {
  test('that asks for nothing is closed after two minutes, and no timer is left', async () => {
    const client = await RawClient.connect(port);
    client.write(head('GET /v1.0/healthz'));
    await client.until(/204/);
    clock.advance(119_000);
    client.write(head('GET /v1.0/healthz'));
    await client.until(/204.*204/s);
    clock.advance(119_000);
    expect(client.socket.readableEnded).toBe(false);
    clock.advance(2000);
    await client.ended;
    client.socket.destroy();
    await expect.poll(() => connectionsOf(server)).toBe(0);
    clock.advance(1000);
    expect(clock.waiting()).toEqual([]);
  });

  test('whose head does not come within ten seconds is told so; one that waits for its answer is not', async () => {
    const { client: waiting, call } = await callOf(get());
    const slow = await RawClient.connect(port);
    slow.write('GET / HTTP/1.1\r\nHost: ');
    await expect.poll(() => connectionsOf(server)).toBe(2);
    // Behind this one's answer the piece of a head has been read, too.
    await send(port, { path: '/v1.0/healthz' });
    clock.advance(12_000);
    expect(expectFault(parseRaw(await slow.ended), 'bad-request')).toContain('too long');
    expect(offences).toEqual(['head-time']);
    clock.advance(600_000);
    call.answer('late');
    await waiting.until(/late/);
    for (const { socket } of [waiting, slow]) socket.destroy();
  });

  test('that is idle when the API drains goes at once, though its client does not look; a busy one, after its answer', async () => {
    const { client: busy, call } = await callOf(get());
    const idle = await RawClient.connect(port);
    idle.socket.allowHalfOpen = true;
    idle.write(head('GET /v1.0/healthz'));
    await idle.until(/204/);
    const closed = once(server, 'close');
    server.close();
    app.drain();
    await idle.ended;
    await expect.poll(() => connectionsOf(server)).toBe(1);
    call.answer('the last');
    expect(await busy.ended).toMatch(/connection: close\r\n.*the last$/s);
    await closed;
    idle.socket.destroy();
  });

  test('that is cut off ends its call', async () => {
    const { client, call } = await callOf(get());
    app.destroy();
    await expect.poll(() => call.said).toEqual(['end', 'cancel cancelled']);
    expect(await client.ended).toBe('');
  });
});

function connectionsOf(of: Server): Promise<number> {
  return new Promise((tell, fail) => of.getConnections((error, count) => (error ? fail(error) : tell(count))));
}
