// One attempt at the app: what waits for a connection, what is never written, and what the caller hears of it.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PlainCall } from '../../api/call.ts';
import type { Flow, ReplyEnd, ReplyHead } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import { parseAppId, parseNamespace, parseTrustDomain } from '../../api/ids.ts';
import { canonicalPath } from '../../api/path.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { AppPool } from '../app/pool.ts';
import { permitted } from '../testing/permitted.ts';
import { openApp } from './app.ts';

const clock = manualClock();
const gone = fault('cancelled', 'the caller has gone');
let server: Server;
let pool: AppPool;
/** What the app was sent, on its connections one after the other. */
let received: string;
const sockets: Socket[] = [];

beforeEach(async () => {
  received = '';
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  pool = poolTo(portOf(server), 1);
});

afterEach(async () => {
  pool.destroy();
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  await once(server, 'close');
});

function poolTo(port: number, connectionsMax: number): AppPool {
  return new AppPool({ host: '127.0.0.1', port }, clock, { connectionsMax, idleMax: 1 });
}

/** What the caller's side hears. */
class Caller implements ReplyEnd {
  readonly heard: string[] = [];
  readonly heads: ReplyHead[] = [];

  head(head: ReplyHead): void {
    this.heads.push(head);
    this.heard.push(`head ${head.status}`);
  }

  data(chunk: Buffer): Flow {
    this.heard.push(`data ${chunk.toString('latin1')}`);
    return 'ok';
  }

  end(trailers: Headers): void {
    this.heard.push(['end', ...trailers].join(' '));
  }

  abort({ code }: Fault): void {
    this.heard.push(`abort ${code}`);
  }

  resume(): void {
    this.heard.push('resume');
  }

  cancel(): void {
    this.heard.push('cancel');
  }
}

const identity = {
  trustDomain: must(parseTrustDomain('test.local')),
  namespace: must(parseNamespace('default')),
  app: must(parseAppId('web')),
};

function open(given: Partial<PlainCall> = {}, to: AppPool | 'none' = pool) {
  const caller = new Caller();
  const call: PlainCall = {
    ...{ kind: 'http', target: identity, caller: identity, method: 'POST', path: must(canonicalPath('/a')), query: '' },
    ...{ headers: [], bodyBytes: undefined, deadlineMs: undefined, hops: 1 },
    ...given,
  };
  const deps = { clock, pool: to === 'none' ? undefined : to, token: undefined };
  const request = openApp(permitted(call), caller, deps);
  return { request, caller };
}

const arrived = (text: string | RegExp) => expect.poll(() => received).toMatch(text);
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const HEARD_OK = ['head 200', 'data ok', 'end'];

/** The one connection that there may be carries a call; `answer` ends that. */
async function busy(): Promise<{ answer(): Promise<void> }> {
  const { request, caller } = open({ method: 'GET', bodyBytes: 0 });
  request.end([]);
  await arrived(/^GET/);
  return {
    async answer() {
      received = '';
      sockets[0]?.write(OK);
      await expect.poll(() => caller.heard).toEqual(HEARD_OK);
    },
  };
}

test('what is pushed while a call waits for a connection is held, and sent in its order', async () => {
  const first = await busy();
  const { request, caller } = open();
  expect([request.data(Buffer.from('one')), request.data(Buffer.from('two'))]).toEqual(['pause', 'pause']);
  await first.answer();
  await arrived(/^POST.*\r\n\r\n3\r\none\r\n3\r\ntwo\r\n$/s);
  expect(caller.heard).toEqual(['resume']);
  request.end(['x-sum', '6']);
  await arrived(/\r\n0\r\nx-sum: 6\r\n\r\n$/);
});

test('a whole call that waited is sent as a whole', async () => {
  const first = await busy();
  const { request, caller } = open({ bodyBytes: 3 });
  request.data(Buffer.from('one'));
  request.end([]);
  await first.answer();
  await arrived(/^POST.*content-length: 3\r\n\r\none$/s);
  sockets[0]?.write(OK);
  await expect.poll(() => caller.heard).toEqual(HEARD_OK);
});

test.each(['abort', 'cancel'] as const)('a call that ends (%s) while it waits is never sent', async (how) => {
  const first = await busy();
  const { request, caller } = open();
  request.data(Buffer.from('one'));
  request[how](gone);
  await first.answer();
  const next = open({ method: 'GET', bodyBytes: 0 });
  next.request.end([]);
  await arrived(/^GET/);
  expect(caller.heard).toEqual([]);
});

test.each([
  ['longer', 'three'],
  ['shorter', 'o'],
])('a body %s than declared is refused, also while the call waits', async (_how, body) => {
  await busy();
  const { request, caller } = open({ bodyBytes: 3 });
  request.data(Buffer.from(body));
  request.end([]);
  expect(caller.heard).toEqual(['abort bad-request']);
});

test('a body longer than declared breaks off what the app has of it', async () => {
  const { request, caller } = open({ bodyBytes: 3 });
  request.data(Buffer.from('on'));
  await arrived(/\r\n\r\non$/);
  const closed = new Promise((resolve) => sockets[0]?.once('close', resolve));
  request.data(Buffer.from('wo'));
  expect(caller.heard).toEqual(['resume', 'abort bad-request']);
  await closed;
  expect(received).toMatch(/\r\n\r\non$/);
});

test.each([
  ['a header', { headers: ['x-a', 'b\r\nc: d'] }],
  ['a query', { query: 'a b' }],
])('%s that no HTTP/1.1 message can have is refused, and the connection serves the next', async (_what, given) => {
  const { request, caller } = open({ ...given, bodyBytes: 0 });
  request.end([]);
  await expect.poll(() => caller.heard).toEqual(['abort bad-request']);
  const again = open({ ...given, bodyBytes: 0 });
  expect(again.caller.heard).toEqual(['abort bad-request']);
  await (await busy()).answer();
  expect(sockets).toHaveLength(1);
});

test('a trailer that no HTTP/1.1 message can have is refused, and the app never takes the request for whole', async () => {
  const { request, caller } = open();
  request.data(Buffer.from('one'));
  await arrived(/one/);
  const closed = new Promise((resolve) => sockets[0]?.once('close', resolve));
  request.end(['x-a', 'b\r\nc: d']);
  await closed;
  expect(caller.heard).toEqual(['resume', 'abort bad-request']);
  expect(received).toMatch(/one\r\n$/);
});

test.each([
  ['GET', undefined, '', /\ninvoke-hops: 1\r\n\r\n$/],
  ['GET', undefined, 'one', /\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n$/],
  ['GET', 0, '', /\ninvoke-hops: 1\r\n\r\n$/],
  ['POST', 0, '', /\r\ncontent-length: 0\r\n\r\n$/],
  ['POST', undefined, '', /\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n$/],
])('the framing of %s with %s declared bytes and the body "%s"', async (method, bodyBytes, body, framed) => {
  const { request } = open({ method, bodyBytes });
  if (body !== '') request.data(Buffer.from(body));
  request.end([]);
  await arrived(framed);
});

test('an answer before the end of the request is whole, and the next call has another connection', async () => {
  const { request, caller } = open({ bodyBytes: 100 });
  request.data(Buffer.from('one'));
  await arrived(/one/);
  sockets[0]?.write(OK);
  await expect.poll(() => caller.heard).toEqual(['resume', ...HEARD_OK]);
  expect(request.data(Buffer.alloc(97))).toBe('ok');
  request.end([]);
  received = '';
  await busy();
  expect(sockets).toHaveLength(2);
});

test('an app that closes a kept connection as it is used has perhaps seen the call', async () => {
  await (await busy()).answer();
  const { request, caller } = open({ method: 'GET', bodyBytes: 0 });
  request.end([]);
  sockets[0]?.resetAndDestroy();
  await expect.poll(() => caller.heard).toEqual(['abort app-broke']);
});

test('an app that is not there has seen nothing, whatever was pushed', async () => {
  const nobody = poolTo(await freePort(), 1);
  const { request, caller } = open({}, nobody);
  request.data(Buffer.from('one'));
  await expect.poll(() => caller.heard).toEqual(['abort app-unreachable']);
  expect(request.data(Buffer.from('two'))).toBe('ok');
});

test('a program that only calls refuses, and says how it would be called', () => {
  const { request, caller } = open({}, 'none');
  expect(caller.heard).toEqual(['abort app-unreachable']);
  expect(request.data(Buffer.from('one'))).toBe('ok');
});

test("of an answer's fields, what steers sidecars stays here, in the head and behind the body", async () => {
  const { request, caller } = open({ method: 'GET', bodyBytes: 0 });
  request.end([]);
  await arrived(/^GET/);
  const fields = 'X-A: b\r\nInvoke-Fault: denied\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n';
  sockets[0]?.write(
    `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n${fields}\r\n0\r\nX-C: d\r\nInvoke-Fault: denied\r\n\r\n`,
  );
  await expect.poll(() => caller.heard).toEqual(['head 200', 'end x-c d']);
  expect(caller.heads).toEqual([{ status: 200, headers: ['x-a', 'b'], bodyBytes: undefined }]);
});
