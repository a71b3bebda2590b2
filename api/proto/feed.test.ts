// The messages of the feed, against another implementation of protobuf that reads our .proto file.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import {
  decodeFeedMessage,
  decodeFeedRequest,
  encodeFeedMessage,
  encodeFeedRequest,
  FEED_PATH,
  type FeedMessage,
  type FeedPart,
  type FeedRequest,
} from './feed.ts';
import { anyBytes, anyText, hostile, oracleDecode, oracleEncode, schema } from './testing-schema.ts';

const REQUEST = 'invoke.v1.FeedRequest';
const MESSAGE = 'invoke.v1.FeedMessage';

const anyNumber = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const anyVersions = fc.array(fc.record({ kind: anyText, version: anyNumber }), { maxLength: 3 });
const anyApp = fc.record({ appId: anyText, namespace: anyText });

const anyAudit = fc.record({
  policy: anyText,
  generation: anyNumber,
  deniedBy: anyText,
  count: anyNumber,
  ageMs: anyNumber,
  caller: anyText,
  operation: anyText,
});

const anyRequest: fc.Arbitrary<FeedRequest> = fc.record(
  {
    hello: fc.record({ epoch: anyNumber, versions: anyVersions, sidecarVersion: anyText }),
    interest: fc.array(anyApp, { maxLength: 3 }),
    audits: fc.array(anyAudit, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);

const anyResource = fc.record({
  kind: anyText,
  namespace: anyText,
  name: anyText,
  generation: anyNumber,
  createdMs: anyNumber,
  spec: anyBytes,
});
const anyEndpoint = fc.record({
  address: anyText,
  port: fc.nat({ max: 65535 }),
  ready: fc.boolean(),
  serving: fc.boolean(),
  terminating: fc.boolean(),
  zone: anyText,
  pod: anyText,
  labels: fc
    .uniqueArray(fc.tuple(anyText, anyText), { selector: ([key]) => key, maxLength: 3 })
    .map((pairs) => new Map(pairs)),
});
const anyPart: fc.Arbitrary<FeedPart> = fc.oneof(
  fc.record({
    kind: fc.constant('config' as const),
    config: fc.record({
      versions: anyVersions,
      trustAnchors: anyBytes,
      resources: fc.array(anyResource, { maxLength: 3 }),
      barredNamespaces: fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 3 }),
      defaultAccess: fc.constantFrom('allow', 'deny'),
    }),
  }),
  fc.record({
    kind: fc.constant('endpoints' as const),
    endpoints: fc.record({
      app: anyApp,
      isClaimed: fc.boolean(),
      endpoints: fc.array(anyEndpoint, { maxLength: 3 }),
      version: anyNumber,
    }),
  }),
);
const anyMessage: fc.Arbitrary<FeedMessage> = fc.record({
  epoch: anyNumber,
  part: fc.option(anyPart, { nil: undefined }),
});

test('the path names the one method of the service', () => {
  const [method] = schema.lookupService('invoke.v1.Feed').methodsArray;
  expect(FEED_PATH).toBe(`/invoke.v1.Feed/${method?.name}`);
  expect([method?.requestStream, method?.responseStream]).toEqual([true, true]);
});

test('a request says to another implementation what it says to us', () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      const { hello, interest, audits = [] } = request;
      const message = {
        ...(hello && {
          hello: { epoch: hello.epoch, versions: hello.versions, sidecar_version: hello.sidecarVersion },
        }),
        ...(interest && { interest: { apps: interest.map(asApp) } }),
        audits: audits.map(({ deniedBy, ageMs, ...rest }) => ({ ...rest, denied_by: deniedBy, age_ms: ageMs })),
      };
      expect(must(decodeFeedRequest(oracleEncode(REQUEST, message)))).toEqual(request);
      expect(oracleDecode(REQUEST, encodeFeedRequest(request))).toEqual({ hello: null, interest: null, ...message });
      expect(must(decodeFeedRequest(encodeFeedRequest(request)))).toEqual(request);
    }),
  );
});

test('a message says to another implementation what it says to us', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const plain = { epoch: message.epoch, ...asPart(message.part) };
      expect(must(decodeFeedMessage(oracleEncode(MESSAGE, plain)))).toEqual(message);
      expect(oracleDecode(MESSAGE, encodeFeedMessage(message))).toEqual(plain);
      expect(must(decodeFeedMessage(encodeFeedMessage(message)))).toEqual(message);
    }),
  );
});

test('hostile bytes end in a message or in an error', () => {
  fc.assert(
    fc.property(hostile(anyRequest.map(encodeFeedRequest)), hostile(anyMessage.map(encodeFeedMessage)), (a, b) => {
      expect(typeof decodeFeedRequest(a).ok).toBe('boolean');
      expect(typeof decodeFeedMessage(b).ok).toBe('boolean');
    }),
    { numRuns: 1000 },
  );
});

test('a message that is broken deep inside is an error as a whole', () => {
  // Field 2 (config), in it field 3 (a resource), in it a tag whose value is missing.
  expect(decodeFeedMessage(Buffer.from([0x12, 0x03, 0x1a, 0x01, 0x20])).ok).toBe(false);
});

function asApp({ appId, namespace }: { readonly appId: string; readonly namespace: string }) {
  return { app_id: appId, namespace };
}

function asPart(part: FeedPart | undefined): Record<string, unknown> {
  if (part === undefined) return {};
  if (part.kind === 'config') {
    const { versions, trustAnchors, resources, barredNamespaces, defaultAccess } = part.config;
    const plain = resources.map(({ createdMs, ...resource }) => ({ ...resource, created_ms: createdMs }));
    const access = { barred_namespaces: barredNamespaces, is_denied_by_default: defaultAccess === 'deny' };
    return { config: { versions, trust_anchors: trustAnchors, resources: plain, ...access } };
  }
  const { app, isClaimed, endpoints, version } = part.endpoints;
  const plain = endpoints.map((endpoint) => ({ ...endpoint, labels: Object.fromEntries(endpoint.labels) }));
  return { endpoints: { app: asApp(app), is_claimed: isClaimed, endpoints: plain, version } };
}
