// Calling what has no sidecar: whom a call may name, what its server is sent, and what the caller gets back.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { portOf } from '../../kit/testing/ports.ts';
import type { LookUp } from '../external/connect.ts';
import { DaprClient } from '../testing/dapr-client.ts';
import { echo, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { endpoint, type OutsideOptions, outside, plainService } from '../testing/outside.ts';
import { expectFault, gotNames, headerOf, RawClient, send, to } from './testing.ts';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.close());

let callers = 0;

/** A sidecar that may call what the options say. */
async function callerWith(options: OutsideOptions, config = {}, lookUp?: LookUp): Promise<MeshSidecar> {
  callers++;
  const caller = await mesh.start(`caller-${callers}`, {
    handler: echo,
    config: { outside: outside(options), ...config },
    ...(lookUp === undefined ? {} : { lookUp }),
  });
  return caller;
}

/** A service, and a sidecar that may call it as `localhost`; the last request that it saw. */
async function calling(handler: RequestListener = echo, options: OutsideOptions = {}, config = {}) {
  const seen: IncomingMessage[] = [];
  const port = await plainService((request, response) => {
    seen.push(request);
    handler(request, response);
  });
  const url = `http://localhost:${port}`;
  const caller = await callerWith({ allowed: [`localhost:${port}`], ...options }, config);
  return { port, url, seen, caller, at: caller.sidecar.ports.http };
}

describe('a URL in place of an app', () => {
  test.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
    'takes %s with path, query and body',
    async (method) => {
      const { at, url, seen, port } = await calling();
      const path = to(url, '/v1/things?a=1&b=%20');
      const answer = await send(at, method === 'GET' ? { path } : { method, path, body: 'hello' });
      expect([answer.status, answer.body.toString()]).toEqual([200, method === 'GET' ? '' : 'hello']);
      expect([headerOf(answer, 'x-method'), headerOf(answer, 'x-url')]).toEqual([method, '/v1/things?a=1&b=%20']);
      expect(seen[0]?.headers.host).toBe(`localhost:${port}`);
    },
  );

  test('may be percent-encoded, written with one slash, or stand in a header', async () => {
    const { at, url, port } = await calling();
    for (const path of [to(encodeURIComponent(url), '/x'), to(`http:/localhost:${port}`, '/x')]) {
      expect(headerOf(await send(at, { path }), 'x-url')).toBe('/x');
    }
    for (const name of ['dapr-app-id', 'Invoke-App-Id']) {
      expect(headerOf(await send(at, { path: '/x?y', headers: [name, url] }), 'x-url')).toBe('/x?y');
    }
  });

  test('of an IP address is called, where that address is allowed', async () => {
    const { at, port } = await calling(echo, {});
    const other = await callerWith({ allowed: [`127.0.0.1:${port}`] });
    expect((await send(other.sidecar.ports.http, { path: to(`http://127.0.0.1:${port}`) })).status).toBe(200);
    const answer = await send(at, { path: to('http://0x7f.1/') });
    expect(expectFault(answer, 'bad-request')).toContain('no IPv4 address');
  });
});

describe('what the server is sent', () => {
  test('no identity, no token, no address of this side, and what the caller said of itself', async () => {
    const { at, url, seen } = await calling(
      echo,
      {},
      { apiToken: 'secret-token', app: { port: undefined, host: '127.0.0.1', token: 'app-secret' } },
    );
    const headers = [
      ...['dapr-api-token', 'secret-token', 'dapr-caller-app-id', 'me', 'Invoke_Caller_Id', 'me', 'x-mine', '1'],
      ...['authorization', 'Bearer mine', 'invoke-timeout', '5S', 'x-thing-bin', 'AA=='],
    ];
    expect((await send(at, { path: to(url), headers })).status).toBe(200);
    expect(
      gotNames(seen[0]).filter((name) => !['host', 'x-mine', 'authorization', 'traceparent'].includes(name)),
    ).toEqual([]);
    expect(JSON.stringify(seen[0]?.rawHeaders)).not.toMatch(/secret/);
    expect(seen[0]?.headers.authorization).toBe('Bearer mine');
  });

  test('no credentials that only say which endpoint is meant', async () => {
    const port = await plainService(echo);
    const payments = endpoint('payments', { baseUrl: `http://localhost:${port}` });
    const { sidecar } = await callerWith({ allowed: [`localhost:${port}`], endpoints: [payments] });
    const authorization = `Basic ${Buffer.from('dapr-app-id:payments').toString('base64')}`;
    const answer = await send(sidecar.ports.http, { path: '/x', headers: ['authorization', authorization] });
    const got = JSON.parse(Buffer.from(headerOf(answer, 'x-raw-headers') ?? '', 'base64').toString());
    expect([answer.status, got.includes('authorization'), got.includes('Authorization')]).toEqual([200, false, false]);
  });

  test('no header of the connection alone, and neither comes one back', async () => {
    const names = [
      'keep-alive',
      'proxy-connection',
      'proxy-authenticate',
      'proxy-authorization',
      'te',
      'trailer',
      'upgrade',
      'http2-settings',
      'x-named',
    ];
    const { at, url, seen } = await calling((_request, response) => {
      const sent = Object.fromEntries(names.filter((name) => name !== 'trailer').map((name) => [name, 'x']));
      response.writeHead(200, { ...sent, connection: 'x-named', 'x-kept': '1' });
      response.end('ok');
    });
    const headers = [
      'connection',
      'x-named',
      ...names.flatMap((name) => [name, name === 'te' ? 'trailers' : 'x']),
      'x-kept',
      '1',
    ];
    const answer = await send(at, { method: 'POST', path: to(url), headers, body: [Buffer.from('x')] });
    const came = answer.headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    expect([answer.body.toString(), headerOf(answer, 'x-kept'), seen[0]?.headers['x-kept']]).toEqual(['ok', '1', '1']);
    expect(gotNames(seen[0]).filter((name) => names.includes(name))).toEqual([]);
    expect(came.filter((name) => names.includes(name) && name !== 'keep-alive')).toEqual([]);
  });
});

describe('the answer', () => {
  test('is the server’s own, with its status, also where it is a redirect', async () => {
    const { at, url, seen } = await calling((_request, response) => {
      response.writeHead(302, { location: '/elsewhere', 'invoke-fault': 'denied' }).end('moved');
    });
    const answer = await send(at, { path: to(url, '/here') });
    expect([answer.status, headerOf(answer, 'location'), answer.body.toString()]).toEqual([302, '/elsewhere', 'moved']);
    expect([headerOf(answer, 'invoke-fault'), seen.length]).toEqual([undefined, 1]);
  });

  test('comes as it is made: ten events, each before the next is sent', async () => {
    let stream: ServerResponse | undefined;
    const { at, url } = await calling((_request, response) => {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
    });
    const client = await RawClient.connect(at);
    client.write(`GET ${to(url, '/events')} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n`);
    await client.until(/\r\n\r\n/);
    for (let event = 1; event <= 10; event++) {
      stream?.write(`data: ${event}\n\n`);
      await client.until(new RegExp(`data: ${event}\n\n`));
    }
    stream?.end();
    await client.until(/\r\n0\r\n\r\n$/);
    client.socket.destroy();
    expect([...client.received.matchAll(/data: (\d+)/g)].map(([, event]) => Number(event))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
  });

  test('that is large passes whole both ways, and a request that is too large does not', async () => {
    const { at, url } = await calling();
    const body = Buffer.alloc(4 * 1024 * 1024, 'x');
    const answer = await send(at, { method: 'POST', path: to(url), body });
    expect([answer.status, answer.body.equals(body)]).toEqual([200, true]);
    expectFault(
      await send(at, { method: 'POST', path: to(url), body: Buffer.alloc(body.length + 1) }),
      'body-too-large',
    );
  });

  test('rides on a connection that was there before', async () => {
    const sockets = new Set<unknown>();
    const { at, url } = await calling((request, response) => {
      sockets.add(request.socket);
      response.end();
    });
    for (let call = 0; call < 3; call++) await send(at, { path: to(url) });
    expect(sockets.size).toBe(1);
  });

  test('is a fault where there is none: nobody listens, the connection breaks, the time is over', async () => {
    const { at, url } = await calling((_request, response) => response.destroy());
    expect(expectFault(await send(at, { path: to(url) }), 'external-broke')).toContain(url);
    const nobody = createServer().listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const port = portOf(nobody);
    nobody.close();
    const deaf = await callerWith({ allowed: [`localhost:${port}`] });
    const unheard = await send(deaf.sidecar.ports.http, { path: to(`http://localhost:${port}`) });
    expect(expectFault(unheard, 'external-unreachable')).toContain(`port ${port}`);
    const silent = await calling(() => undefined);
    const late = await send(silent.at, { path: to(silent.url), headers: ['invoke-timeout', '50m'] });
    expect(expectFault(late, 'timeout')).toContain(silent.url);
  });
});

describe('who may be called', () => {
  const leadsTo =
    (...addresses: readonly string[]): LookUp =>
    (_host, done) =>
      queueMicrotask(() => done(null, addresses));

  test.each([
    ['127.0.0.1', 'this machine itself'],
    ['127.8.9.10', 'this machine itself'],
    ['::1', 'this machine itself'],
    ['::ffff:127.0.0.1', 'this machine itself'],
    ['0.0.0.0', 'no address at all'],
    ['::', 'no address at all'],
    ['169.254.169.254', 'a metadata service'],
    ['::ffff:169.254.169.254', 'a metadata service'],
    ['64:ff9b::a9fe:a9fe', 'a metadata service'],
    ['fd00:ec2::254', 'a metadata service'],
    ['100.100.100.200', 'a metadata service'],
    ['169.254.1.1', 'the local link'],
    ['fe80::1', 'the local link'],
    ['224.0.0.1', 'a multicast address'],
    ['ff02::1', 'a multicast address'],
    ['255.255.255.255', 'an address that no host has'],
    ['2002:7f00:1::', 'an address that no host has'],
    ['10.1.2.3', 'a private address'],
    ['fd12::1', 'a private address'],
  ])('not a name that leads to %s', async (address, words) => {
    const { sidecar } = await callerWith({}, {}, leadsTo(address));
    const message = expectFault(await send(sidecar.ports.http, { path: to('https://api.example.com') }), 'denied');
    expect(message).toContain(words);
    expect(message).toContain('<advice>');
    expect(message).not.toContain(address);
  });

  test('not even where the name is allowed: the address itself has to be', async () => {
    const port = await plainService(echo);
    const allowed = [`api.example.com:${port}`];
    const path = to(`http://api.example.com:${port}`);
    const refused = await callerWith({ allowed }, {}, leadsTo('127.0.0.1'));
    expectFault(await send(refused.sidecar.ports.http, { path }), 'denied');
    let asked = 0;
    const once: LookUp = (host, done) => {
      asked++;
      leadsTo('169.254.169.254', '127.0.0.1')(host, done);
    };
    const letIn = await callerWith({ allowed: [...allowed, `127.0.0.1:${port}`] }, {}, once);
    expect((await send(letIn.sidecar.ports.http, { path })).status).toBe(200);
    expect(asked).toBe(1);
  });

  test('in a cluster: only endpoints, and hosts of the list', async () => {
    const port = await plainService(echo);
    const payments = endpoint('payments', { baseUrl: `http://api.example.com:${port}` });
    const options = {
      arePublicHostsAllowed: false,
      allowed: ['*.good.example', `127.0.0.1:${port}`],
      endpoints: [payments],
    };
    const { sidecar } = await callerWith(options, {}, leadsTo('127.0.0.1'));
    const at = sidecar.ports.http;
    const refused = [
      'https://api.example.com',
      'https://good.example',
      'https://a.good.example:444',
      'https://agood.example',
    ];
    for (const url of refused) {
      expect(expectFault(await send(at, { path: to(url) }), 'denied')).toContain(`calls to ${url} are not allowed`);
    }
    // Allowed by name, and only then is its address looked at.
    expect(expectFault(await send(at, { path: to('https://a.good.example') }), 'denied')).toContain('this machine');
    expect((await send(at, { path: to('payments') })).status).toBe(200);
  });

  test('nobody, where a sidecar was not told otherwise, and the fault is counted under one label for all hosts', async () => {
    const { sidecar } = await mesh.start('plain', { handler: echo });
    for (const host of ['a.example', 'b.example']) {
      expectFault(await send(sidecar.ports.http, { path: to(`https://${host}`) }), 'denied');
    }
    const page = (await send(sidecar.ports.metrics ?? 0, { path: '/metrics' })).body.toString();
    expect(page).toContain('invoke_requests_total{direction="outbound",peer="external",status="403",fault="denied"} 2');
    expect(page).not.toContain('.example');
  });
});

describe('a named endpoint', () => {
  test('stands for its URL, with a path before every other and headers in place of the caller’s', async () => {
    const port = await plainService(echo);
    const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'bank'));
    writeFileSync(join(folder, 'bank', 'token'), 'from-a-file\n');
    const payments = endpoint('payments', {
      baseUrl: `http://localhost:${port}/v3/`,
      headers: [
        { name: 'X-Plain', value: 'plain' },
        { name: 'Authorization', secretKeyRef: { name: 'bank', key: 'token' } },
        { name: 'x-env', envRef: 'BANK_ID' },
      ],
    });
    const { sidecar } = await callerWith({
      ...{ allowed: [`localhost:${port}`], endpoints: [payments], secretsDirectory: folder, env: { BANK_ID: '7' } },
    });
    const headers = ['authorization', 'Bearer stolen', 'x-plain', 'mine', 'x-other', 'kept'];
    const answer = await send(sidecar.ports.http, { path: to('payments', '/charge?x'), headers });
    const got: string[] = JSON.parse(Buffer.from(headerOf(answer, 'x-raw-headers') ?? '', 'base64').toString());
    const values = (name: string) => got.filter((_, i) => i % 2 === 1 && got[i - 1]?.toLowerCase() === name);
    expect(headerOf(answer, 'x-url')).toBe('/v3/charge?x');
    expect(['authorization', 'x-plain', 'x-env', 'x-other'].map(values)).toEqual([
      ['from-a-file'],
      ['plain'],
      ['7'],
      ['kept'],
    ]);
    const listed = JSON.parse((await send(sidecar.ports.http, { path: '/v1.0/metadata' })).body.toString());
    expect(listed.httpEndpoints).toEqual([{ name: 'payments' }]);
  });

  test('wins over an app of its name, and not over one whose namespace is said', async () => {
    const port = await plainService((_request, response) => response.end('endpoint'));
    const shop = endpoint('shop', { baseUrl: `http://localhost:${port}` });
    const { sidecar } = await callerWith({ allowed: [`localhost:${port}`], endpoints: [shop] });
    await mesh.start('shop', { handler: (_request, response) => response.end('app') });
    const bodyOf = async (path: string) => (await send(sidecar.ports.http, { path })).body.toString();
    expect([await bodyOf(to('shop')), await bodyOf(to('shop.default'))]).toEqual(['endpoint', 'app']);
  });

  test('whose secret or variable is not there says which, and what to do', async () => {
    const refs = { env: { envRef: 'NOT_SET' }, secret: { secretKeyRef: { name: 'no-such', key: 'token' } } };
    const endpoints = Object.entries(refs).map(([name, ref]) =>
      endpoint(name, { baseUrl: 'https://api.example.com', headers: [{ name: 'authorization', ...ref }] }),
    );
    const { sidecar } = await callerWith({ endpoints, secretsDirectory: '/nowhere' });
    const said = async (name: string) =>
      expectFault(await send(sidecar.ports.http, { path: to(name) }), 'external-unreachable');
    expect(await said('env')).toContain('no environment variable NOT_SET');
    expect(await said('secret')).toContain('the key token of the Secret no-such is not there (ENOENT): <secrets>');
  });
});

describe('other ways to call', () => {
  test('InvokeService of the gRPC API takes URLs and endpoints', async () => {
    const { url, caller } = await calling((request, response) => response.end(`${request.method} ${request.url}`));
    const client = new DaprClient(caller.sidecar.ports.grpc);
    onTestFinished(() => client.close());
    const { status, response } = await client.invoke({ id: url, method: 'v1/things', verb: 1, query: 'a=b' });
    expect([status.code, response?.body.toString()]).toEqual([0, 'GET /v1/things?a=b']);
  });

  test('WebSocket does not leave the mesh, and says so', async () => {
    const { at, url, seen } = await calling();
    const client = await RawClient.connect(at);
    const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n';
    client.write(
      `GET ${to(url)} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n${key}\r\n`,
    );
    await client.until(/outside of the mesh/);
    client.socket.destroy();
    expect([client.received.slice(0, 12), seen.length]).toEqual(['HTTP/1.1 501', 0]);
  });
});
