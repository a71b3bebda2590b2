// HTTP calls to an app that speaks HTTP/2 without TLS: what arrives and what comes back is what HTTP/1.1 would have made of it.
import { once } from 'node:events';
import { createServer, type Http2Server, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { portOf } from '../../kit/testing/ports.ts';
import { callerOf, faultOf } from '../testing/grpc-app.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { expectFault, headerOf, RawClient, send, to } from './testing.ts';

interface Seen {
  readonly headers: Record<string, unknown>;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly trailers: Record<string, unknown>;
}

type Handler = (stream: ServerHttp2Stream, seen: Promise<Seen>) => unknown;

/** An app whose behaviour a test changes as it goes. */
class H2cApp {
  readonly sessions = new Set<Http2Session>();
  streams = 0;
  handler: Handler = ECHO;
  server: Http2Server;

  constructor(settings = {}) {
    this.server = createServer({ settings });
    this.server.on('session', (session) => {
      this.sessions.add(session);
      session.on('error', () => undefined);
      session.on('close', () => this.sessions.delete(session));
    });
    this.server.on('stream', (stream, headers, _flags, rawHeaders) => {
      this.streams += 1;
      stream.on('error', () => undefined);
      const seen = whole(stream, headers, rawHeaders as readonly string[]);
      this.handler(stream, seen);
    });
  }

  async listen(port = 0): Promise<number> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    return portOf(this.server);
  }

  close(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    return new Promise((closed) => this.server.close(() => closed()));
  }
}

async function whole(
  stream: ServerHttp2Stream,
  headers: Record<string, unknown>,
  rawHeaders: readonly string[],
): Promise<Seen> {
  const chunks: Buffer[] = [];
  let trailers: Record<string, unknown> = {};
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('trailers', (given) => {
    trailers = given;
  });
  await once(stream, 'end').catch(() => undefined);
  return { headers, rawHeaders, body: Buffer.concat(chunks), trailers };
}

const ECHO: Handler = async (stream, seen) => {
  const { headers, body } = await seen;
  stream.respond({ ':status': 200, 'x-method': String(headers[':method']), 'x-path': String(headers[':path']) });
  stream.end(body);
};

let mesh: Mesh;
let web: MeshSidecar;
let app: H2cApp;
let port: number;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  mesh = await startMesh();
  web = await mesh.start('web');
  app = new H2cApp();
  port = await app.listen();
  await mesh.start('shop', h2cOn(port));
});
beforeEach(() => {
  app.handler = ECHO;
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await mesh.close();
  await app.close();
});

function h2cOn(appPort: number) {
  return { config: { app: { port: appPort, host: '127.0.0.1', protocol: 'h2c', token: 'app-token' } } } as const;
}

const call = (sent: Partial<Parameters<typeof send>[1]> = {}) =>
  send(web.sidecar.ports.http, { path: to('shop', '/a/b?c=d'), ...sent });

/** What the app is given by a call, which it answers with 200. */
async function seenOf(sent: Partial<Parameters<typeof send>[1]>): Promise<Seen> {
  const got = Promise.withResolvers<Seen>();
  app.handler = async (stream, seen) => {
    got.resolve(await seen);
    stream.respond({ ':status': 200 });
    stream.end();
  };
  expect((await call(sent)).status).toBe(200);
  return got.promise;
}

test.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
  '%s arrives with its path and query',
  async (method) => {
    const answer = await call({ method, ...(method !== 'GET' && { body: 'tea' }) });
    expect([answer.status, headerOf(answer, 'x-method'), headerOf(answer, 'x-path')]).toEqual([
      200,
      method,
      '/a/b?c=d',
    ]);
    expect(answer.body.toString()).toBe(method === 'GET' ? '' : 'tea');
  },
);

test('the app is told who calls, and knows its own sidecar by the token', async () => {
  const { headers } = await seenOf({
    headers: ['X-Own', 'yes', 'Dapr-Caller-App-Id', 'forged', 'Connection', 'x-hop', 'X-Hop', '1'],
  });
  expect(headers).toMatchObject({
    ':authority': `127.0.0.1:${port}`,
    ':scheme': 'http',
    'x-own': 'yes',
    'dapr-caller-app-id': 'web',
    'dapr-callee-app-id': 'shop',
    'dapr-api-token': 'app-token',
    'invoke-caller-id': 'spiffe://test.local/ns/default/web',
  });
  expect(headers).not.toHaveProperty('x-hop');
});

test('a declared length arrives as one, and a chunked body without', async () => {
  expect((await seenOf({ method: 'POST', body: 'four' })).headers['content-length']).toBe('4');
  const chunked = await seenOf({ method: 'POST', body: [Buffer.from('fo'), Buffer.from('ur')] });
  expect([chunked.headers['content-length'], chunked.body.toString()]).toEqual([undefined, 'four']);
});

test('the deadline goes on as what is left of it', async () => {
  expect((await seenOf({ headers: ['invoke-timeout', '30S'] })).headers['invoke-timeout']).toMatch(/^\d+[mu]$/);
});

test('trailers pass both ways', async () => {
  app.handler = async (stream, seen) => {
    const { trailers } = await seen;
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': String(trailers['x-asked']) }));
    stream.end('body');
  };
  const http = await rawHttp(
    `POST ${to('shop')} HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Asked: 42\r\n\r\n`,
    /x-sum: 42\r\n\r\n$/,
  );
  expect(http).toMatch(/^HTTP\/1.1 200/);
});

async function rawHttp(text: string, until: RegExp): Promise<string> {
  const client = await RawClient.connect(web.sidecar.ports.http);
  closing.push(() => client.socket.destroy());
  client.write(text);
  return client.until(until);
}

test.each([200, 204, 304, 404, 500])('the status %i is the app’s own', async (status) => {
  app.handler = (stream) => {
    stream.respond({ ':status': status, 'x-app': 'shop', 'invoke-fault': 'denied' }, { endStream: true });
  };
  const answer = await call();
  expect([answer.status, headerOf(answer, 'x-app'), headerOf(answer, 'invoke-fault')]).toEqual([
    status,
    'shop',
    undefined,
  ]);
});

test('HEAD has the length that GET would have, or none where the app says none', async () => {
  app.handler = (stream) => stream.respond({ ':status': 200, 'content-length': '1234' }, { endStream: true });
  expect(headerOf(await call({ method: 'HEAD' }), 'content-length')).toBe('1234');
  app.handler = (stream) => stream.respond({ ':status': 200 }, { endStream: true });
  expect(headerOf(await call({ method: 'HEAD' }), 'content-length')).toBeUndefined();
});

test('an answer before the end of the request reaches the caller', async () => {
  app.handler = (stream) => {
    stream.respond({ ':status': 401 });
    stream.end('who are you?');
  };
  const client = await RawClient.connect(web.sidecar.ports.http);
  closing.push(() => client.socket.destroy());
  client.write(`POST ${to('shop')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nsome`);
  expect(await client.until(/who are you\?/)).toMatch(/^HTTP\/1.1 401/);
});

test('a caller who goes away ends the stream at the app', async () => {
  const reset = Promise.withResolvers<number>();
  const began = Promise.withResolvers<void>();
  app.handler = (stream) => {
    began.resolve();
    stream.on('close', () => reset.resolve(stream.rstCode));
  };
  const client = await RawClient.connect(web.sidecar.ports.http);
  client.write(`GET ${to('shop')} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await began.promise;
  client.socket.destroy();
  expect(await reset.promise).toBe(8);
});

test('an app that breaks its answer off may have seen the call', async () => {
  app.handler = (stream) => stream.close(2);
  expect(expectFault(await call(), 'app-broke')).toContain('may have seen');
});

test('an app that refuses the stream has not seen it, and it is sent again', async () => {
  let refused = 0;
  app.handler = (stream, seen) => {
    if (refused++ < 2) stream.close(7);
    else ECHO(stream, seen);
  };
  expect((await call({ method: 'POST', body: 'again' })).body.toString()).toBe('again');
});

test('whatever HTTP/1.1 carries arrives unchanged, and comes back so', async () => {
  const text = fc.string({ unit: fc.constantFrom(...'abcXYZ019-._~'), minLength: 1, maxLength: 20 });
  const value = fc.string({ unit: fc.constantFrom(...'ab Z9;,="é/'), maxLength: 30 }).map((raw) => raw.trim());
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE'),
      text,
      value,
      fc.uint8Array({ maxLength: 70_000 }),
      async (method, word, header, bytes) => {
        app.handler = async (stream, seen) => {
          const { headers, body } = await seen;
          stream.respond({ ':status': 200, 'x-got': String(headers['x-sent']), 'x-path': String(headers[':path']) });
          stream.end(body);
        };
        const latin1 = Buffer.from(header, 'latin1').toString('latin1');
        const answer = await call({
          method,
          path: to('shop', `/p${word}?q=${word}`),
          headers: ['x-sent', latin1],
          body: Buffer.from(bytes),
        });
        expect([answer.status, headerOf(answer, 'x-path')]).toEqual([200, `/p${word}?q=${word}`]);
        expect(answer.body.equals(Buffer.from(bytes))).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test('150 calls at once all finish though the app takes 100 streams on a connection', async () => {
  const narrow = new H2cApp({ maxConcurrentStreams: 100 });
  const waiting: ServerHttp2Stream[] = [];
  const all = Promise.withResolvers<void>();
  narrow.handler = (stream) => {
    if (waiting.push(stream) === 150) all.resolve();
  };
  await mesh.start('narrow', h2cOn(await narrow.listen()));
  closing.push(() => narrow.close());
  const calls = Array.from({ length: 150 }, () => send(web.sidecar.ports.http, { path: to('narrow') }));
  await all.promise;
  expect(narrow.sessions.size).toBe(2);
  for (const stream of waiting) {
    stream.respond({ ':status': 200 });
    stream.end();
  }
  expect((await Promise.all(calls)).every(({ status }) => status === 200)).toBe(true);
});

test('an app that restarted is dialled anew', async () => {
  const first = new H2cApp();
  const restarting = await first.listen();
  const again = await mesh.start('again', h2cOn(restarting));
  closing.push(() => again.stop());
  const ask = () => send(web.sidecar.ports.http, { path: to('again') });
  expect((await ask()).status).toBe(200);
  await first.close();
  expectFault(await ask(), 'app-unreachable');
  const second = new H2cApp();
  await second.listen(restarting);
  closing.push(() => second.close());
  expect((await ask()).status).toBe(200);
});

test('a native gRPC call is refused, in words', async () => {
  const caller = callerOf(web, 'shop');
  closing.push(() => caller.close());
  const outcome = await caller.call('Unary', ['tea']);
  expect([faultOf(outcome), outcome.status.details]).toEqual(['unimplemented', expect.stringMatching(/speaks HTTP/)]);
});
