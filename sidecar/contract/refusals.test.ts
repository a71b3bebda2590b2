// Calls that fail: each fault has its status, its header and words that say what to do; deadlines end calls on both sides.
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { FaultCode } from '../../api/fault.ts';
import { freePort } from '../../kit/testing/ports.ts';
import type { MeshSidecar } from '../testing/mesh.ts';
import {
  expectFault,
  expectFaultBody,
  gotValues,
  headerOf,
  type Pair,
  pairForAll,
  RawClient,
  send,
  to,
} from './testing.ts';

let pair: Pair;
/** In the same mesh, with Dapr's numbers. */
let dapr: MeshSidecar;

pairForAll(async (started) => {
  pair = started;
  const [daprLike, deaf] = await Promise.all([
    pair.mesh.start('dapr-like', { config: { statuses: 'dapr' } }),
    pair.mesh.start('deaf', { handler: pair.app.listener }),
    pair.mesh.start('small', { handler: pair.app.listener, config: { bodyBytesMax: 10 } }),
    pair.mesh.start('mute'),
  ]);
  dapr = daprLike;
  deaf.app?.close();
  deaf.app?.closeAllConnections();
  pair.mesh.point('dead', [{ host: '127.0.0.1', port: await freePort() }]);
  pair.mesh.point('empty', []);
});

interface Case {
  readonly what: string;
  readonly code: FaultCode;
  readonly daprStatus: number;
  /** Whom it names and what it advises. */
  readonly says: RegExp;
  readonly path: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const CASES: readonly Case[] = [
  {
    what: 'an app that nobody knows',
    code: 'unknown-app',
    daprStatus: 500,
    says: /nobody\.default/,
    path: to('nobody'),
  },
  { what: 'a bad id', code: 'bad-request', daprStatus: 500, says: /use lower-case letters/, path: to('BAD') },
  { what: 'no id', code: 'no-target', daprStatus: 404, says: /use \/v1\.0\/invoke/, path: '/' },
  {
    what: 'no id, over gRPC',
    code: 'no-target',
    daprStatus: 404,
    says: /DAPR_GRPC_PORT/,
    path: '/shop.v1.Orders/List',
    headers: ['content-type', 'application/grpc+proto'],
  },
  { what: 'a bad path', code: 'bad-request', daprStatus: 500, says: /nothing was called/, path: to('callee', '/%zz') },
  {
    what: 'a web page',
    code: 'origin-refused',
    daprStatus: 403,
    says: /--allowed-origins/,
    path: to('callee'),
    headers: ['origin', 'https://evil.example'],
  },
  {
    what: 'no ready endpoint',
    code: 'no-endpoint',
    daprStatus: 500,
    says: /empty\.default .*try again/,
    path: to('empty'),
  },
  {
    what: 'a dead sidecar',
    code: 'peer-unreachable',
    daprStatus: 500,
    says: /dead\.default .*Is it still running/,
    path: to('dead'),
  },
  {
    what: 'an app that does not listen',
    code: 'app-unreachable',
    daprStatus: 500,
    says: /deaf\.default .*--app-port/,
    path: to('deaf'),
  },
  {
    what: 'an app that only calls',
    code: 'app-unreachable',
    daprStatus: 500,
    says: /mute\.default .*--app-port/,
    path: to('mute'),
  },
  {
    what: 'a body too large there',
    code: 'body-too-large',
    daprStatus: 500,
    says: /10 bytes.*--max-body-size/,
    path: to('small'),
    body: 'x'.repeat(11),
  },
  {
    what: 'a bad timeout',
    code: 'bad-request',
    daprStatus: 500,
    says: /invoke-timeout.*such as 500m/,
    path: to('callee'),
    headers: ['invoke-timeout', '5 s'],
  },
  {
    what: 'a timeout',
    code: 'timeout',
    daprStatus: 500,
    says: /callee\.default did not answer in time/,
    path: to('callee', '/slow'),
    headers: ['invoke-timeout', '50m'],
  },
  {
    what: 'an app that resets',
    code: 'app-broke',
    daprStatus: 500,
    says: /callee\.default .*may have seen.*log/,
    path: to('callee', '/resets'),
  },
];

function misbehave(): void {
  pair.app.handler = (request, response) => {
    if (request.url === '/resets') request.socket.resetAndDestroy();
    else if (request.url !== '/slow') response.end();
  };
}

describe.each(CASES)('$what', ({ code, daprStatus, says, path, headers = [], body }) => {
  const call = { path, headers, ...(body === undefined ? {} : { method: 'POST', body }) };

  test(`is ${code}, and the answer says what to do`, async () => {
    misbehave();
    expect(expectFault(await send(pair.port, call), code)).toMatch(says);
  });

  test(`is ${daprStatus} with --statuses dapr, and no less clear`, async () => {
    misbehave();
    const answer = await send(dapr.sidecar.ports.http, call);
    expect([answer.status, headerOf(answer, 'invoke-fault')]).toEqual([daprStatus, code]);
    expect(expectFaultBody(answer, code)).toMatch(says);
  });

  test('has no body for HEAD, and leaves the connection fit for another call', async () => {
    if (body !== undefined) return;
    misbehave();
    const client = await RawClient.connect(pair.port);
    const fields = ['Host', 'localhost', ...headers];
    const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}\r\n`] : [])).join('');
    client.write(`HEAD ${path} HTTP/1.1\r\n${lines}\r\n`);
    const refused = await client.until(/\r\n\r\n$/);
    expect(refused).toContain(`invoke-fault: ${code}\r\n`);
    client.write(`GET /v1.0/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    expect((await client.until(/HTTP\/1\.1 204 .*\r\n\r\n$/s)).startsWith(refused)).toBe(true);
    client.socket.destroy();
  });
});

test.each(['callee', 'caller'])('no message about %s gives away an address, a port of ours or a stack', async (app) => {
  misbehave();
  pair.ownApp.handler = (request) => request.socket.resetAndDestroy();
  const { body } = await send(pair.port, { path: to(app, '/resets') });
  expect(body.toString()).not.toMatch(/127\.0\.0\.1|ECONN|socket hang up|\n\s*at /);
});

test('a body is replayed, bytes equal, when the first endpoint cannot be reached', async () => {
  const live = { host: '127.0.0.1', port: pair.callee.sidecar.ports.peer };
  const dead = { host: '127.0.0.1', port: await freePort() };
  const body = 'x'.repeat(50_000);
  for (const order of [
    [dead, live],
    [live, dead],
  ]) {
    pair.mesh.point('callee', order);
    const answers = await Promise.all([1, 2].map(() => send(pair.port, { method: 'POST', path: to('callee'), body })));
    expect(answers.map((answer) => [answer.status, answer.body.toString() === body])).toEqual([
      [200, true],
      [200, true],
    ]);
  }
  expect(pair.app.seen).toHaveLength(4);
  pair.mesh.point('callee', [live]);
});

describe.each([
  ['another app', 'callee', () => pair.app],
  ['oneself', 'caller', () => pair.ownApp],
])('a deadline for %s', (_who, name, app) => {
  test('is told to the app as what remains of it', async () => {
    await send(pair.port, { path: to(name), headers: ['Invoke-Timeout', '30S'] });
    const [told = ''] = gotValues(app().seen[0], 'invoke-timeout');
    expect(told).toMatch(/^\d{1,8}[num]$/);
    const unitMs = { n: 1e-6, u: 1e-3, m: 1 }[told.slice(-1)] ?? 0;
    expect(Number(told.slice(0, -1)) * unitMs).toBeLessThanOrEqual(30_000);
  });

  test('is none where the caller named none', async () => {
    await send(pair.port, { path: to(name) });
    expect(gotValues(app().seen[0], 'invoke-timeout')).toEqual([]);
  });

  test('ends the call on both sides when it passes', async () => {
    const arrived = new Promise<Promise<unknown>>((tell) => {
      app().handler = (_request, response) => tell(once(response, 'close'));
    });
    const answer = await send(pair.port, { path: to(name), headers: ['invoke-timeout', '100m'] });
    expect(expectFault(answer, 'timeout')).toContain('before it began to answer');
    await arrived.then((closed) => closed);
  });

  test('that passes in the middle of an answer breaks the answer off', async () => {
    app().handler = (_request, response) => void response.write('the beginning');
    const answer = await send(pair.port, { path: to(name), headers: ['invoke-timeout', '100m'] });
    expect(answer).toMatchObject({ status: 200, isWhole: false, body: Buffer.from('the beginning') });
  });

  test.each(['', '5', '5s', '1.5S', '-1S', '123456789S', '1S, 2S'])('may not read %j', async (text) => {
    const answer = await send(pair.port, { path: to(name), headers: ['invoke-timeout', text] });
    expectFault(answer, 'bad-request');
    expect(app().seen).toEqual([]);
  });
});
