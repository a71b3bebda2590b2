// InvokeService to an app that serves OnInvoke: gRPC at both ends, and a call over HTTP between. Neither end sees anything of that.
import { status as Code } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { VERBS } from '../../api/proto/peer.ts';
import { decodeRpcStatus } from '../../api/proto/rpc-status.ts';
import { anyBytes } from '../../api/proto/testing-schema.ts';
import { any, type CallbackApp, callbackPairForAll, failure } from '../testing/callback-app.ts';
import { DaprClient, type Invoke } from '../testing/dapr-client.ts';
import { faultOf } from '../testing/grpc-app.ts';

let app: CallbackApp;
let client: DaprClient;
let own: DaprClient;
callbackPairForAll((pair) => {
  app = pair.app;
  client = new DaprClient(pair.web.sidecar.ports.grpc);
  own = new DaprClient(pair.shop.sidecar.ports.grpc);
});
afterAll(() => {
  client.close();
  own.close();
});

const invoke = (call: Invoke, fields = {}) => client.invoke({ id: 'shop', ...call }, fields);

test.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH'])('a call by %s says so', async (verb) => {
  const { status } = await invoke({ method: 'multiple/segments', verb: VERBS.indexOf(verb) });
  expect(status.code).toBe(Code.OK);
  expect(app.seen[0]?.request).toMatchObject({ method: 'multiple/segments', http_extension: { verb } });
});

test.each([
  ['another sidecar', () => client],
  ['the same sidecar', () => own],
])('what the data is arrives at an app behind %s, and what the answer is comes back', async (_which, caller) => {
  const typed = { type_url: 'mytype', value: Buffer.from('answer') };
  app.behaviour = (_call, done) => done(null, { data: typed, content_type: 'application/json' });
  const { response } = await caller().invoke({ id: 'shop', method: 'typed', body: 'emozioni', typeUrl: 'pfm' });
  expect(app.seen[0]?.request.data).toEqual({ type_url: 'pfm', value: Buffer.from('emozioni') });
  expect(response).toEqual({ body: typed.value, typeUrl: 'mytype', contentType: 'application/json' });
});

test.each(['50%', '%25', 'a b"c*d\\e', 'über/größe', 'a.b', '%41'])(
  'the method %j arrives letter by letter',
  async (method) => {
    expect((await invoke({ method })).status.code).toBe(Code.OK);
    expect(app.seen[0]?.request.method).toBe(method);
  },
);

describe("the app's own status", () => {
  const details = [any('type.googleapis.com/a.B', Buffer.from('why'))];

  test.each(Object.values(Code).filter((code) => typeof code === 'number' && code !== 0))(
    '%s comes back',
    async (code) => {
      app.behaviour = (_call, done) => done(failure(Number(code), 'in its own words: ü', details));
      const outcome = await invoke({ method: 'a' });
      expect([outcome.status.code, outcome.status.details, faultOf(outcome)]).toEqual([
        code,
        expect.stringMatching(/^in its own words: ü/),
        undefined,
      ]);
      const bytes = Buffer.from(outcome.status.metadata.get('grpc-status-details-bin')[0] ?? '');
      expect(decodeRpcStatus(bytes)).toMatchObject({ ok: true, value: { code, details } });
    },
  );

  test.each(['nothing', ''])('of the method %j, which it does not know, is no fault', async (method) => {
    app.behaviour = (_call, done) => done(failure(Code.UNKNOWN, 'invalid method'));
    const outcome = await invoke({ method });
    expect([outcome.status.code, outcome.status.details, faultOf(outcome)]).toEqual([2, 'invalid method', undefined]);
    expect(app.seen[0]?.request.method).toBe(method);
  });
});

test('metadata travels there and back, identity from the certificate', async () => {
  app.behaviour = (call, done) => {
    const metadata = call.metadata.clone();
    for (const name of Object.keys(metadata.getMap())) if (name !== 'x-one') metadata.remove(name);
    call.sendMetadata(metadata);
    done(null, {});
  };
  const outcome = await invoke({ method: 'a' }, { 'x-one': '1', 'dapr-caller-app-id': 'admin' });
  expect(outcome.head?.get('x-one')).toEqual(['1']);
  expect(app.seen[0]?.metadata.get('dapr-caller-app-id')).toEqual(['web']);
  expect(app.seen[0]?.metadata.get('dapr-api-token')).toEqual(['app-token']);
});

test('any call arrives as it was made, and so does its answer', async () => {
  const name = fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 8 });
  const segment = name.filter((text) => !/[\x00-\x1f\x7f/?#;.]|%(2F|5C|3B|2E)/i.test(text) && text.isWellFormed());
  const calls = fc.record({
    method: fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    verb: fc.constantFrom(1, 3, 4, 5, 9),
    query: fc.stringMatching(/^[a-zA-Z0-9%&=+-]{0,20}$/),
    body: anyBytes,
    typeUrl: fc.stringMatching(/^[a-z./]{0,20}$/),
    contentType: fc.stringMatching(/^[a-z]{1,8}\/[a-z]{1,8}$/),
  });
  await fc.assert(
    fc.asyncProperty(calls, async (call) => {
      app.seen.length = 0;
      const { response } = await invoke(call);
      expect(app.seen[0]?.request).toEqual({
        method: call.method,
        data: { type_url: call.typeUrl, value: call.body },
        content_type: call.contentType,
        http_extension: { verb: VERBS[call.verb], querystring: call.query },
      });
      expect(response).toEqual({ body: call.body, contentType: call.contentType, typeUrl: '' });
    }),
    { numRuns: 60 },
  );
});
