// Which headers travel between two apps, which are dropped on the way, and which only a sidecar may write.
import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { gotNames, gotValues, headerOf, type Pair, pairForAll, RawClient, send, to } from './testing.ts';

let pair: Pair;
pairForAll((started) => {
  pair = started;
});

const HOP_BY_HOP = [
  ['Keep-Alive', 'timeout=77'],
  ['Proxy-Connection', 'keep-alive'],
  ['Proxy-Authenticate', 'Basic realm="x"'],
  ['Proxy-Authorization', 'Basic eDp5'],
  ['TE', 'trailers'],
  ['Trailer', 'x-checksum'],
  ['Upgrade', 'h2c'],
  ['HTTP2-Settings', 'AAMAAABk'],
  ['X-Named', 'by Connection'],
  ['X-Named-Too', 'by Connection'],
] as const;
const CONNECTION = ['Connection', 'close, X-Named,x-named-TOO'];

const ways = [
  ['to another app', () => pair.app, (path: string) => ({ path: to('callee', path) })],
  ['to oneself', () => pair.ownApp, (path: string) => ({ path: to('caller', path) })],
  ['by header', () => pair.app, (path: string) => ({ path, headers: ['dapr-app-id', 'callee'] })],
] as const;

describe.each(ways)('%s', (_way, app, addressed) => {
  const called = (headers: readonly string[], method = 'GET', body?: readonly Buffer[]) => {
    const call: { path: string; headers?: readonly string[] } = addressed('/x');
    return send(pair.port, {
      method,
      path: call.path,
      headers: [...(call.headers ?? []), ...headers],
      ...(body && { body }),
    });
  };

  test.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH'])(
    'a %s drops what is meant for one hop, and that alone',
    async (method) => {
      const headers = [...CONNECTION, ...HOP_BY_HOP.flat(), 'X-Kept', '1', 'Via', '1.1 mine'];
      const answer = await called(headers, method, [Buffer.from('chunked')]);
      expect(answer.status).toBe(200);
      const [got] = app().seen;
      const dropped = HOP_BY_HOP.map(([name]) => name.toLowerCase());
      expect(gotNames(got).filter((name) => dropped.includes(name))).toEqual([]);
      // HTTP/1.1 keeps a connection unless somebody says otherwise.
      expect(gotValues(got, 'connection')).toEqual([]);
      expect([gotValues(got, 'x-kept'), gotValues(got, 'via')]).toEqual([['1'], ['1.1 mine']]);
    },
  );

  test('an answer drops what is meant for one hop, and that alone', async () => {
    const responseHop = HOP_BY_HOP.filter(([name]) => name !== 'Upgrade' && name !== 'Trailer');
    app().handler = (_request, response) => {
      response.writeHead(200, [
        ...CONNECTION,
        ...responseHop.flat(),
        'X-Kept',
        '1',
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
      ]);
      response.end('x');
    };
    const answer = await called([]);
    const names = answer.headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    const dropped = responseHop.map(([name]) => name.toLowerCase());
    expect(names.filter((name) => dropped.includes(name))).toEqual([]);
    expect(headerOf(answer, 'x-kept')).toBe('1');
    expect(answer.headers.filter((_, i) => answer.headers[i - 1]?.toLowerCase() === 'set-cookie')).toEqual([
      'a=1',
      'b=2',
    ]);
  });

  test('repeated fields keep their number and their order, high bytes and empty values included', async () => {
    const values = ['one', '', 'caf\xe9 \xc3\xa9', 'a, b', 'one'];
    await called(values.flatMap((value) => ['X-Many', value]));
    expect(gotValues(app().seen[0], 'x-many')).toEqual(values);
  });

  test('fields named like members of objects are data', async () => {
    await called(['__proto__', 'a', 'constructor', 'b', 'toString', 'c']);
    const [got] = app().seen;
    expect([gotValues(got, '__proto__'), gotValues(got, 'constructor'), gotValues(got, 'tostring')]).toEqual([
      ['a'],
      ['b'],
      ['c'],
    ]);
  });

  test('who calls is said by the sidecars alone, however the caller spells its claims', async () => {
    const claims = [
      ...[
        'dapr-caller-app-id',
        'Dapr-Caller-App-Id',
        'DAPR-CALLER-NAMESPACE',
        'Dapr-Callee-App-Id',
        'invoke-caller-id',
      ],
      ...['dapr_caller_app_id', 'Dapr_Caller-App_Id', 'invoke_caller_id', 'INVOKE-CALLER-ID', 'dapr-callee-namespace'],
    ];
    await called(claims.flatMap((name) => [name, 'forged']));
    const [got] = app().seen;
    expect(JSON.stringify(got?.rawHeaders)).not.toContain('forged');
    const callee = app() === pair.app ? 'callee' : 'caller';
    expect(identityOf(got)).toEqual([['caller'], ['default'], [callee], ['spiffe://test.local/ns/default/caller']]);
  });

  test("what steers the sidecars stays with them, and an app cannot speak in a sidecar's name", async () => {
    await called([
      'invoke-fault',
      'denied',
      'dapr-api-token',
      'mine',
      'dapr_api_token',
      'mine',
      'grpc-trace-bin',
      'AAAA',
    ]);
    const [got] = app().seen;
    const own = ['invoke-fault', 'dapr-app-id', 'invoke-app-id', 'dapr-api-token', 'dapr_api_token', 'grpc-trace-bin'];
    expect(gotNames(got).filter((name) => own.includes(name))).toEqual([]);
    app().handler = (_request, response) => {
      response.writeHead(500, { 'Invoke-Fault': 'denied', 'Dapr-App-Id': 'other', 'x-own': 'yes' }).end();
    };
    const answer = await called([]);
    expect(answer.status).toBe(500);
    expect([headerOf(answer, 'invoke-fault'), headerOf(answer, 'dapr-app-id'), headerOf(answer, 'x-own')]).toEqual([
      undefined,
      undefined,
      'yes',
    ]);
  });

  test('the app reads one host, its own address, whatever host the caller named', async () => {
    await called([]);
    const [got] = app().seen;
    expect(gotValues(got, 'host')).toEqual([`127.0.0.1:${got?.socket.localPort}`]);
  });

  const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  test('a trace that the caller began goes on, with its state and its baggage', async () => {
    await called(['traceparent', TRACE, 'tracestate', 'a=1,b=2', 'baggage', 'user=7']);
    const [got] = app().seen;
    expect(['traceparent', 'tracestate', 'baggage'].map((name) => gotValues(got, name))).toEqual([
      [TRACE],
      ['a=1,b=2'],
      ['user=7'],
    ]);
  });

  test('a call without a trace begins one, and the caller is told which', async () => {
    const answer = await called([]);
    const [started] = gotValues(app().seen[0], 'traceparent');
    expect(started).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(headerOf(answer, 'traceparent')).toBe(started);
  });

  test.each([
    'x',
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    `ff${TRACE.slice(2)}`,
    TRACE.toUpperCase(),
  ])('the broken traceparent %s is replaced, and its tracestate goes with it', async (broken) => {
    await called(['traceparent', broken, 'tracestate', 'a=1']);
    const [got] = app().seen;
    expect(gotValues(got, 'traceparent')).toEqual([expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)]);
    expect(gotValues(got, 'traceparent')).not.toContain(broken);
    expect(gotValues(got, 'tracestate')).toEqual([]);
  });

  test("a trace that the app's answer names is left to it", async () => {
    app().handler = (_request, response) => response.writeHead(200, { traceparent: TRACE }).end();
    expect(headerOf(await called([]), 'traceparent')).toBe(TRACE);
  });
});

test('the app of a call from another machine is told where it came from', async () => {
  await send(pair.port, { path: to('callee'), headers: ['X-Forwarded-For', '10.9.8.7'] });
  const [got] = pair.app.seen;
  expect(gotValues(got, 'x-forwarded-for')).toEqual(['10.9.8.7', '127.0.0.1']);
  expect(gotValues(got, 'forwarded')).toEqual([expect.stringMatching(/^for=127\.0\.0\.1;by=127\.0\.0\.1;host=/)]);
});

test('trailers travel both ways, without those that only a sidecar may write', async () => {
  pair.app.handler = (request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('x');
      response.addTrailers([
        ['x-sum', `got ${gotTrailers(request)}`],
        ['invoke-fault', 'denied'],
      ]);
      response.end();
    });
  };
  const client = await RawClient.connect(pair.port);
  client.write(
    `POST ${to('callee')} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: x-in\r\nConnection: close\r\n\r\n`,
  );
  client.write('1\r\nx\r\n0\r\nX-In: yes\r\nDapr-Caller-App-Id: forged\r\n\r\n');
  const received = await client.ended;
  expect(received).toContain('x-sum: got x-in,yes');
  expect(received).not.toContain('denied');
});

function gotTrailers(request: IncomingMessage): string {
  return request.rawTrailers.map((text) => text.toLowerCase()).join(',');
}

function identityOf(got: IncomingMessage | undefined): string[][] {
  return ['dapr-caller-app-id', 'dapr-caller-namespace', 'dapr-callee-app-id', 'invoke-caller-id'].map((name) =>
    gotValues(got, name),
  );
}
