// Apps and clients on Dapr's SDKs for Python and JavaScript, as they are, over HTTP.
import { describe, expect, test } from 'vitest';
import { areMissing, type ClientName, laptopWith, type Outcome, outcomesOf, type Step } from './programs.ts';

const HTTP_CLIENTS = ['py-http', 'js-http'] as const satisfies readonly ClientName[];
const echo = (app: string, more: Step = {}): Step => ({ do: 'invoke', app, method: 'echo', ...more });
const fails = (app: string, method: string): Step => ({ do: 'invoke', app, method });

/** What the app said: the SDK for Python gives its text, and that for JavaScript what the text means. */
function said({ text, answer }: Outcome): unknown {
  return typeof text === 'string' ? JSON.parse(text) : answer;
}

describe.skipIf(areMissing)('over HTTP', { timeout: 120_000 }, () => {
  const laptop = laptopWith(['py-http', 'js-http']);

  test.each(HTTP_CLIENTS)('the client %s calls with every verb that the SDKs have', async (client) => {
    const verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
    const steps = ['py-http', 'js-http'].flatMap((app) => verbs.map((verb) => echo(app, { verb })));
    const heard = (await outcomesOf(laptop(), client, steps)).map(said);
    const upper = verbs.map((verb) => ({ verb, caller: 'caller' }));
    expect(heard).toMatchObject([...upper, ...upper.map((seen) => ({ ...seen, verb: seen.verb.toLowerCase() }))]);
  });

  test.each(HTTP_CLIENTS)('what the client %s sends arrives: body, its type, headers', async (client) => {
    const steps = ['py-http.default', 'js-http'].map((app) =>
      echo(app, { data: 'größer', headers: { 'x-sent': 'by the client' } }),
    );
    const [python, js] = (await outcomesOf(laptop(), client, steps)).map(said);
    const type = client === 'py-http' ? 'application/json; charset=utf-8' : 'text/plain';
    expect(python).toEqual({
      ...{ got: 'größer', type, sent: 'by the client', verb: 'POST', query: '', caller: 'caller', token: null },
    });
    // Its server wants of JSON that it is some: a bare word is none.
    if (client === 'js-http') expect(js).toMatchObject({ got: '"größer"', type, sent: 'by the client' });
  });

  test('the client py-http has the head of the answer, too, and sends a query', async () => {
    const [outcome] = await outcomesOf(laptop(), 'py-http', [echo('py-http', { query: { full: '1 & more' } })]);
    expect(outcome).toMatchObject({
      ...{ status: 200, type: 'application/json', headers: { 'x-served-by': ['http_app.py'] } },
      text: expect.stringMatching(/"query":"full=1\+%26\+more"/),
    });
  });

  test('an error of the app reaches a client in Python with all that the app said', async () => {
    const body = '{"errorCode":"NO_ORDER","message":"no such order"}';
    const told = { code: 'NO_ORDER', message: 'no such order', raw: body };
    const steps = [fails('py-http', 'fail/404'), fails('py-http', 'fail/500'), fails('py-http', 'fail/409')];
    expect(await outcomesOf(laptop(), 'py-http', steps)).toEqual([
      ...[404, 500, 409].map((status) => ({ failure: { ...told, status } })),
    ]);
  });

  test('an error of the app reaches a client in JavaScript with all that the app said', async () => {
    const told = { error_msg: '{"errorCode":"NO_ORDER","message":"no such order"}' };
    const steps = [fails('py-http', 'fail/404'), fails('py-http', 'fail/500'), fails('js-http', 'nothing-here')];
    expect(await outcomesOf(laptop(), 'js-http', steps)).toEqual([
      { failure: { ...told, status: 404, error: 'Not Found' } },
      { failure: { ...told, status: 500, error: 'Internal Server Error' } },
      { failure: { status: 404, error: 'Not Found', error_msg: expect.stringContaining('Cannot POST /nothing-here') } },
    ]);
  });

  test('a fault of the sidecar is told in the fields that the SDKs read', async () => {
    const words = expect.stringMatching(/no app \\?"nobody\\?" in namespace \\?"default/);
    const [python] = await outcomesOf(laptop(), 'py-http', [echo('nobody')]);
    expect(python).toMatchObject({ failure: { status: 404, code: 'ERR_DIRECT_INVOKE', message: words } });
    const [js] = await outcomesOf(laptop(), 'js-http', [echo('nobody')]);
    expect(js).toMatchObject({ failure: { status: 404, error_msg: words } });
  });
});
