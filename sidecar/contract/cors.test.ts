// Web pages and the app API: what a browser has to hear before a page may have an answer, and what no page hears.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { headerValues } from '../../api/headers.ts';
import { type Answered, expectFault, type Pair, send, startPair, to } from './testing.ts';
import { sendHttp2 } from './testing-http2.ts';

const PAGE = 'https://friend.example';
const TOKEN = 'of-the-api';

let pair: Pair;
/** By what it allows: its port. */
const ports = { list: 0, all: 0, token: 0, none: 0 };
beforeAll(async () => {
  pair = await startPair();
  const start = async (app: string, config: object) => (await pair.mesh.start(app, { config })).sidecar.ports.http;
  ports.none = pair.port;
  ports.list = await start('lists', { allowedOrigins: ['https://other.example', PAGE] });
  ports.all = await start('allows-all', { allowedOrigins: ['*'] });
  ports.token = await start('guarded', { allowedOrigins: [PAGE], apiToken: TOKEN });
});
afterEach(() => pair.app.reset());
afterAll(() => pair.mesh.close());

/** What of an answer is CORS, by name; a name that comes twice would be an error in a browser. */
function corsOf({ headers }: Answered): Record<string, string> {
  const named = headers
    .filter((name, i) => i % 2 === 0 && /^access-control-/i.test(name))
    .map((name) => name.toLowerCase());
  expect(named).toEqual([...new Set(named)]);
  return Object.fromEntries(
    named.map((name) => [name.slice('access-control-'.length), headerValues(headers, name)[0] ?? '']),
  );
}

const varyOf = ({ headers }: Answered) => headerValues(headers, 'vary').join(', ');
const PREFLIGHT = [
  ...['origin', PAGE, 'access-control-request-method', 'PUT'],
  ...['access-control-request-headers', 'content-type,dapr-api-token', 'sec-fetch-mode', 'cors'],
];

describe.each([
  ['HTTP/1.1', send],
  ['HTTP/2', sendHttp2],
])('over %s', (_protocol, ask) => {
  test.each([
    ['one of a list', () => ports.list, PAGE],
    ['any', () => ports.all, '*'],
  ])('a page of %s may have its answer, and all that is in it', async (_what, port, allowed) => {
    const answer = await ask(port(), { path: to('callee'), headers: ['origin', PAGE] });
    expect(answer.status).toBe(200);
    expect(corsOf(answer)).toEqual({ 'allow-origin': allowed, 'expose-headers': '*' });
    expect(varyOf(answer)).toBe(allowed === '*' ? '' : 'origin');
  });

  test('a preflight is answered by the sidecar: no app sees it', async () => {
    const answer = await ask(ports.list, { method: 'OPTIONS', path: to('callee', '/x'), headers: PREFLIGHT });
    expect([answer.status, answer.body.length]).toEqual([204, 0]);
    expect(corsOf(answer)).toEqual({
      'allow-origin': PAGE,
      'allow-methods': 'PUT',
      'allow-headers': 'content-type,dapr-api-token',
      'max-age': '600',
    });
    expect(varyOf(answer)).toContain('origin');
    expect(pair.app.seen).toEqual([]);
  });

  test('a preflight needs no API token, and the request behind it does', async () => {
    const preflight = await ask(ports.token, { method: 'OPTIONS', path: to('callee'), headers: PREFLIGHT });
    expect([preflight.status, corsOf(preflight)['allow-origin']]).toEqual([204, PAGE]);
    const refused = await ask(ports.token, { path: to('callee'), headers: ['origin', PAGE] });
    expectFault(refused, 'token-invalid');
    expect(corsOf(refused)).toEqual({ 'allow-origin': PAGE, 'expose-headers': '*' });
    const shown = ['origin', PAGE, 'dapr-api-token', TOKEN];
    expect((await ask(ports.token, { path: to('callee'), headers: shown })).status).toBe(200);
  });

  test('a refusal is readable, too', async () => {
    const refused = await ask(ports.list, { path: to('nobody'), headers: ['origin', PAGE] });
    expectFault(refused, 'unknown-app');
    expect(corsOf(refused)).toEqual({ 'allow-origin': PAGE, 'expose-headers': '*' });
  });

  test.each([
    ['of another origin', () => ports.list, 'https://evil.example'],
    ['where none may', () => ports.none, PAGE],
  ])('a page %s hears nothing of CORS, asked before or not', async (_what, port, origin) => {
    for (const sent of [
      { method: 'OPTIONS', path: to('callee'), headers: [...PREFLIGHT.slice(2), 'origin', origin] },
      { path: to('callee'), headers: ['origin', origin] },
    ]) {
      const answer = await ask(port(), sent);
      expectFault(answer, 'origin-refused');
      expect([corsOf(answer), varyOf(answer)]).toEqual([{}, '']);
    }
    expect(pair.app.seen).toEqual([]);
  });

  test.each([
    ['where none may', () => ports.none],
    ['where pages may', () => ports.list],
  ])('a program hears nothing of CORS but what the app says, %s', async (_what, port) => {
    expect(corsOf(await ask(port(), { path: to('callee') }))).toEqual({});
    pair.app.handler = (_request, response) => response.writeHead(200, { 'Access-Control-Allow-Origin': 'x' }).end();
    expect(corsOf(await ask(port(), { path: to('callee') }))).toEqual({ 'allow-origin': 'x' });
  });

  test("to a page the sidecar's word stands in place of the app's", async () => {
    pair.app.handler = (_request, response) =>
      response
        .writeHead(200, {
          'Access-Control-Allow-Origin': 'https://app.example',
          'Access-Control-Allow-Credentials': 'true',
          Vary: 'accept',
        })
        .end('x');
    const answer = await ask(ports.list, { path: to('callee'), headers: ['origin', PAGE] });
    expect(corsOf(answer)).toEqual({ 'allow-origin': PAGE, 'expose-headers': '*' });
    expect(varyOf(answer)).toBe('accept, origin');
  });

  test('an OPTIONS that is no preflight, or of no page, is a call', async () => {
    const ofPage = await ask(ports.list, { method: 'OPTIONS', path: to('callee', '/a'), headers: ['origin', PAGE] });
    const ofProgram = await ask(ports.list, {
      method: 'OPTIONS',
      path: to('callee', '/b'),
      headers: PREFLIGHT.slice(2),
    });
    expect([ofPage.status, ofProgram.status]).toEqual([200, 200]);
    expect(pair.app.seen.map(({ method, url }) => [method, url])).toEqual([
      ['OPTIONS', '/a'],
      ['OPTIONS', '/b'],
    ]);
    expect(corsOf(ofProgram)).toEqual({});
  });

  test.each(['CONNECT', 'BREW', ''])('a preflight for the verb %j names no verb that is allowed', async (verb) => {
    const headers = ['origin', PAGE, 'access-control-request-method', verb];
    const answer = await ask(ports.list, { method: 'OPTIONS', path: to('callee'), headers });
    expect(answer.status).toBe(204);
    expect(corsOf(answer)).toEqual({ 'allow-origin': PAGE, 'max-age': '600' });
  });

  test('health and metadata tell a page, too', async () => {
    for (const path of ['/v1.0/healthz', '/v1.0/metadata']) {
      const answer = await ask(ports.list, { path, headers: ['origin', PAGE] });
      expect(corsOf(answer)['allow-origin']).toBe(PAGE);
    }
  });
});
