// Every way across: clients on Dapr's SDKs that speak HTTP or gRPC to their sidecar call apps in another namespace that speak
// either to theirs.
import { beforeAll, describe, expect, test } from 'vitest';
import { endOfGroup } from '../machine.ts';
import {
  type AppName,
  areMissing,
  type ClientName,
  laptopWith,
  type Outcome,
  outcomesOf,
  type Step,
} from './programs.ts';

const APPS = ['py-http', 'py-grpc', 'js-http', 'js-grpc'] as const satisfies readonly AppName[];
const THERE = 'shop';
const SAID = '{"errorCode":"NO_ORDER","message":"no such order"}';
const BROKE = 'Exception calling application: no such order';

const FAILING = [
  { what: 'an error of an app over HTTP', app: 'py-http', method: 'fail/404' },
  { what: 'an error of an app over gRPC', app: 'py-grpc', method: 'fail' },
  { what: 'a method that is not there', app: 'py-grpc', method: 'unknown' },
] as const;
/** How each client shows these. */
const FAILURES = {
  'py-http': [
    { status: 404, code: 'NO_ORDER', message: 'no such order', raw: SAID },
    { status: 500, message: BROKE },
    { status: 501 },
  ],
  'py-grpc': [
    {
      ...{ status: 'NOT_FOUND', code: 'Not Found', message: 'Not Found' },
      info: { 'http.code': '404', 'http.error_message': SAID },
    },
    { status: 'UNKNOWN', message: BROKE },
    { status: 'UNIMPLEMENTED' },
  ],
  'js-http': [
    { status: 404, error: 'Not Found', error_msg: SAID },
    { status: 500, error_msg: expect.stringContaining(BROKE) },
    { status: 501, error: 'Not Implemented' },
  ],
  'js-grpc': [{ name: 'ConnectError', code: 5, message: 'Not Found' }, { code: 2, message: BROKE }, { code: 12 }],
} as const satisfies Record<ClientName, readonly Outcome[]>;

const CLIENTS = Object.entries(FAILURES).map(([client, failures]) => ({ client: client as ClientName, failures }));

/** What the app said: the SDK for Python gives its text, and that for JavaScript what the text means. */
function heard({ text, answer }: Outcome): unknown {
  return typeof text === 'string' ? JSON.parse(text) : answer;
}

describe.skipIf(areMissing)('crossings', { timeout: 120_000 }, () => {
  const laptop = laptopWith(APPS, { flags: ['--namespace', THERE] });

  describe.each(CLIENTS)('a client $client', ({ client, failures }) => {
    const atEnd = endOfGroup();
    let echoes: Outcome[];
    let failed: Outcome[];

    function invoke(app: AppName, method: string): Step {
      // The SDK for JavaScript makes the JSON itself, and that for Python is given it.
      const data = client.startsWith('py') ? '{"a":1}' : { a: 1 };
      const step = { do: 'invoke', app: `${app}.${THERE}`, method, data };
      return { ...step, type: 'application/json', headers: { 'x-sent': 'by me' } };
    }

    beforeAll(async () => {
      const failing = FAILING.map(({ app, method }) => invoke(app, method));
      const steps = [...APPS.map((app) => invoke(app, 'echo')), ...failing];
      const outcomes = await outcomesOf(laptop(), client, steps, { atEnd });
      echoes = outcomes.slice(0, APPS.length);
      failed = outcomes.slice(APPS.length);
    });

    test.each(APPS)('calls an app %s', (app) => {
      const outcome = echoes[APPS.indexOf(app)] ?? {};
      // The SDK for JavaScript sends no metadata over gRPC, and tells its own handlers of none.
      const sent = client === 'js-grpc' ? {} : { sent: 'by me' };
      const seen = app === 'js-grpc' ? {} : { caller: 'caller', ...sent };
      expect(heard(outcome)).toMatchObject({ got: '{"a":1}', type: 'application/json', ...seen });
      if (client.startsWith('py') && app === 'py-grpc')
        expect(outcome).toMatchObject({ type: 'application/json', headers: { 'x-served-by': ['grpc_app.py'] } });
    });

    test.each(FAILING)('is told of $what', (failing) => {
      expect(failed[FAILING.indexOf(failing)]).toMatchObject({ failure: failures[FAILING.indexOf(failing)] ?? {} });
    });
  });
});
