// Every way across: clients on Dapr's SDKs that speak HTTP or gRPC to their sidecar call apps in another namespace that speak
// either to theirs.
import { describe, expect, test } from 'vitest';
import {
  type AppName,
  areMissing,
  type ClientName,
  laptopWith,
  type Outcome,
  outcomesOf,
  type Step,
} from './programs.ts';

const CLIENTS = ['py-http', 'py-grpc', 'js-http', 'js-grpc'] as const satisfies readonly ClientName[];
const APPS = ['py-http', 'py-grpc', 'js-http', 'js-grpc'] as const satisfies readonly AppName[];
const CROSSINGS = CLIENTS.flatMap((client) => APPS.map((app) => ({ client, app })));
const THERE = 'shop';
const SAID = '{"errorCode":"NO_ORDER","message":"no such order"}';

/** The SDK for JavaScript makes the JSON itself, and that for Python is given it. */
const dataOf = (client: ClientName) => (client.startsWith('py') ? '{"a":1}' : { a: 1 });

function invoke(client: ClientName, app: AppName, method: string): Step {
  const step = { do: 'invoke', app: `${app}.${THERE}`, method, data: dataOf(client) };
  return { ...step, type: 'application/json', headers: { 'x-sent': 'by me' } };
}

/** What the app said: the SDK for Python gives its text, and that for JavaScript what the text means. */
function heard({ text, answer }: Outcome): unknown {
  return typeof text === 'string' ? JSON.parse(text) : answer;
}

describe.skipIf(areMissing)('crossings', { timeout: 120_000 }, () => {
  const laptop = laptopWith(APPS, { flags: ['--namespace', THERE] });

  test.each(CROSSINGS)('a client $client calls an app $app', async ({ client, app }) => {
    const [outcome] = await outcomesOf(laptop(), client, [invoke(client, app, 'echo')]);
    // The SDK for JavaScript sends no metadata over gRPC, and tells its own handlers of none.
    const sent = client === 'js-grpc' ? {} : { sent: 'by me' };
    const seen = app === 'js-grpc' ? {} : { caller: 'caller', ...sent };
    expect(heard(outcome ?? {})).toMatchObject({ got: '{"a":1}', type: 'application/json', ...seen });
    if (client.startsWith('py') && app === 'py-grpc')
      expect(outcome).toMatchObject({ type: 'application/json', headers: { 'x-served-by': ['grpc_app.py'] } });
  });

  const notFound = { 'http.code': '404', 'http.error_message': SAID };
  test.each<[ClientName, Outcome]>([
    ['py-http', { status: 404, code: 'NO_ORDER', message: 'no such order', raw: SAID }],
    ['py-grpc', { status: 'NOT_FOUND', code: 'Not Found', message: 'Not Found', info: notFound }],
    ['js-http', { status: 404, error: 'Not Found', error_msg: SAID }],
    ['js-grpc', { name: 'ConnectError', code: 5, message: 'Not Found' }],
  ])('a client %s has the status of an app over HTTP', async (client, failure) => {
    const outcomes = await outcomesOf(laptop(), client, [invoke(client, 'py-http', 'fail/404')]);
    expect(outcomes).toEqual([{ failure }]);
  });

  const broke = 'Exception calling application: no such order';
  test.each<[ClientName, Outcome]>([
    ['py-http', { status: 500, message: broke }],
    ['py-grpc', { status: 'UNKNOWN', message: broke }],
    ['js-http', { status: 500, error_msg: expect.stringContaining(broke) }],
    ['js-grpc', { code: 2, message: broke }],
  ])('a client %s has the status of an app over gRPC', async (client, failure) => {
    const outcomes = await outcomesOf(laptop(), client, [invoke(client, 'py-grpc', 'fail')]);
    expect(outcomes).toMatchObject([{ failure }]);
  });

  test.each<[ClientName, unknown]>([
    ['py-http', 501],
    ['py-grpc', 'UNIMPLEMENTED'],
    ['js-http', 501],
  ])('a client %s is told that the app has no such method', async (client, status) => {
    const outcomes = await outcomesOf(laptop(), client, [invoke(client, 'py-grpc', 'unknown')]);
    expect(outcomes).toMatchObject([{ failure: { status } }]);
  });
});
