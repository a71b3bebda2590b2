// One attempt at an app that speaks HTTP/2: what is never sent, and what is cut off before the app can take it for whole. What a call
// comes to otherwise is in sidecar/contract/app-h2c.test.ts.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Call } from '../../api/call.ts';
import type { ReplyEnd } from '../../api/exchange.ts';
import { parseAppId, parseNamespace, parseTrustDomain } from '../../api/ids.ts';
import { canonicalPath } from '../../api/path.ts';
import { systemClock } from '../../kit/clock.ts';
import { must } from '../../kit/result.ts';
import type { Serve } from '../../wire/message.ts';
import { type H2cServer, h2cServer } from '../../wire/testing/h2c-server.ts';
import { AppHttp2Pool } from '../app/http2-pool.ts';
import { permitted } from '../testing/permitted.ts';
import { openAppH2 } from './app-h2.ts';

const identity = {
  trustDomain: must(parseTrustDomain('test.local')),
  namespace: must(parseNamespace('default')),
  app: must(parseAppId('shop')),
};

let server: H2cServer;
let pool: AppHttp2Pool;
/** What the app was told, in order. */
let told: string[];

beforeEach(async () => {
  told = [];
  const note: Serve = (head) => {
    told.push(`${head.method} ${head.target}`);
    return {
      data: (chunk) => {
        told.push(String(chunk));
        return 'ok';
      },
      end: () => told.push('end'),
      abort: ({ kind }) => told.push(`abort ${kind}`),
      resume: () => undefined,
      cancel: () => undefined,
    };
  };
  server = await h2cServer(note, { headBytesMax: 4096 });
  pool = new AppHttp2Pool({ host: '127.0.0.1', port: server.port }, systemClock);
});
afterEach(async () => {
  pool.destroy();
  await server.close();
});

function open(given: Partial<Omit<Call, 'kind'>> = {}) {
  const heard: string[] = [];
  const reply: ReplyEnd = {
    head: ({ status }) => heard.push(`head ${status}`),
    data: () => 'ok',
    end: () => heard.push('end'),
    abort: ({ code }) => heard.push(`abort ${code}`),
    resume: () => heard.push('resume'),
    cancel: () => undefined,
  };
  const call: Call = {
    ...{ kind: 'http', target: identity, caller: identity, method: 'POST', path: must(canonicalPath('/a')), query: '' },
    ...{ headers: [], bodyBytes: undefined, deadlineMs: undefined, hops: 1 },
    ...given,
  };
  const request = openAppH2(permitted(call), reply, { clock: systemClock, pool, token: undefined });
  return { request, heard };
}

const untilTold = (...expected: readonly string[]) => expect.poll(() => told).toEqual(expected);

test.each([
  ['longer', 'three'],
  ['shorter', 'o'],
])('a body %s than declared is refused, and the app never takes it for whole', async (_how, body) => {
  const { request, heard } = open({ bodyBytes: 3 });
  await untilTold('POST /a');
  request.data(Buffer.from(body));
  request.end([]);
  expect(heard.filter((word) => word !== 'resume')).toEqual(['abort bad-request']);
  await expect.poll(() => told.at(-1)).toBe('abort reset');
  expect(told).not.toContain('three');
});

test('a trailer that no HTTP message can have is refused, and the app never takes the request for whole', async () => {
  const { request, heard } = open();
  await untilTold('POST /a');
  request.data(Buffer.from('one'));
  request.end(['x-a', 'b\r\nc: d']);
  expect(heard.filter((word) => word !== 'resume')).toEqual(['abort bad-request']);
  await expect.poll(() => told.at(-1)).toBe('abort reset');
});

test.each([
  ['a header', { headers: ['x-a', 'b\r\nc: d'] }, 'bad-request'],
  ['headers larger than the app takes', { headers: ['x-a', 'x'.repeat(5000)] }, 'headers-too-large'],
])(
  '%s that cannot be sent: nothing reaches the app, and the connection serves the next',
  async (_what, given, code) => {
    // What the app takes is known once there is a connection.
    open();
    await untilTold('POST /a');
    const { request, heard } = open(given);
    request.end([]);
    expect(heard).toEqual([`abort ${code}`]);
    open({ path: must(canonicalPath('/next')) }).request.end([]);
    await untilTold('POST /a', 'POST /next', 'end');
    expect(server.connections.size).toBe(1);
  },
);

test('a program that only calls refuses, and says how it would be called', () => {
  pool.destroy();
  const heard: string[] = [];
  const reply: ReplyEnd = {
    ...{ head: () => undefined, data: () => 'ok', end: () => undefined, resume: () => undefined },
    ...{ abort: ({ message }) => heard.push(message), cancel: () => undefined },
  };
  const call: Call = {
    ...{ kind: 'http', target: identity, caller: identity, method: 'GET', path: must(canonicalPath('/')), query: '' },
    ...{ headers: [], bodyBytes: 0, deadlineMs: undefined, hops: 1 },
  };
  openAppH2(permitted(call), reply, { clock: systemClock, pool: undefined, token: undefined });
  expect(heard).toEqual([expect.stringContaining('--app-port')]);
});
