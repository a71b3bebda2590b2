// What a sidecar serves on its gRPC port itself: metadata and shutdown, as over HTTP; its health; what there is to call.
import { status as Code } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { oracleDecode, oracleEncode } from '../../api/proto/testing-schema.ts';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { DaprClient } from '../testing/dapr-client.ts';
import { callerOf, faultOf, outcomeOf } from '../testing/grpc-app.ts';
import { listening } from '../testing/mesh.ts';
import { type Pair, send, startPair, to } from './testing.ts';

const HEALTH = 'grpc.health.v1';
const CHECK = `/${HEALTH}.Health/Check`;
const WATCH = `/${HEALTH}.Health/Watch`;

let pair: Pair;
let client: DaprClient;
beforeAll(async () => {
  pair = await startPair();
  client = new DaprClient(pair.caller.sidecar.ports.grpc);
});
afterAll(async () => {
  client.close();
  await pair.mesh.close();
});

const health = (service: string) => oracleEncode(`${HEALTH}.HealthCheckRequest`, { service });
const servingOf = (bytes: Buffer | undefined) =>
  oracleDecode(`${HEALTH}.HealthCheckResponse`, bytes ?? Buffer.alloc(0)).status;
const jsonOf = ({ body }: { readonly body: Buffer }) => JSON.parse(body.toString());

describe('metadata', () => {
  test('says what it says over HTTP', async () => {
    const overHttp = jsonOf(await send(pair.port, { path: '/v1.0/metadata' }));
    expect(await client.metadata()).toEqual({
      id: overHttp.id,
      runtime_version: overHttp.runtimeVersion,
      enabled_features: overHttp.enabledFeatures,
      extended_metadata: overHttp.extended,
      http_endpoints: overHttp.httpEndpoints,
      resiliencies: overHttp.resiliencies,
      app_connection_properties: {
        port: pair.caller.app && portOf(pair.caller.app),
        protocol: 'http',
        channel_address: '127.0.0.1',
        max_concurrency: 0,
        health: null,
      },
      actor_runtime: { runtime_status: overHttp.actorRuntime.runtimeStatus, host_ready: false, placement: '' },
    });
  });

  test('names no app connection where there is no app', async () => {
    const mute = await pair.mesh.start('mute');
    const other = new DaprClient(mute.sidecar.ports.grpc);
    expect((await other.metadata()).app_connection_properties).toBeNull();
    other.close();
    await mute.stop();
  });

  test('set on one port is there on both', async () => {
    expect((await client.ask('SetMetadata', { key: 'été', value: 'ü/%' })).status.code).toBe(Code.OK);
    expect((await client.ask('SetMetadata', { key: '__proto__', value: '' })).status.code).toBe(Code.OK);
    const overHttp = jsonOf(await send(pair.port, { path: '/v1.0/metadata' })).extended;
    expect([overHttp.été, Object.getOwnPropertyDescriptor(overHttp, '__proto__')?.value]).toEqual(['ü/%', '']);
    await send(pair.port, { method: 'PUT', path: '/v1.0/metadata/by-http', body: 'x' });
    expect((await client.metadata()).extended_metadata).toMatchObject({ été: 'ü/%', 'by-http': 'x' });
  });

  test('takes values of 64 KiB, and a hundred of them', async () => {
    const full = await pair.mesh.start('full');
    const other = new DaprClient(full.sidecar.ports.grpc);
    const set = async (key: string, value: string) => faultOf(await other.ask('SetMetadata', { key, value }));
    expect(await set('big', 'x'.repeat(64 * 1024 + 1))).toBe('body-too-large');
    expect(await set('big', 'x'.repeat(64 * 1024))).toBeUndefined();
    for (let i = 2; i < 100; i++) expect(await set(`k${i}`, 'v')).toBeUndefined();
    expect(await set('k100', 'v')).toBe('bad-request');
    expect(await set('k99', 'other')).toBeUndefined();
    other.close();
    await full.stop();
  });
});

describe('shutdown', () => {
  test('lets the call in flight finish, and ends with 0', async () => {
    const leaving = await pair.mesh.start('leaving');
    const other = new DaprClient(leaving.sidecar.ports.grpc);
    const go = Promise.withResolvers<void>();
    pair.app.handler = (_request, response) => void go.promise.then(() => response.end('finished'));
    const arrived = pair.app.next();
    const inFlight = other.invoke({ method: 'slow' });
    await arrived;
    expect((await other.ask('Shutdown')).status.code).toBe(Code.OK);
    const late = await other.invoke({ method: 'late' });
    expect(late.status.code).toBe(Code.UNAVAILABLE);
    go.resolve();
    expect((await inFlight).response?.body.toString()).toBe('finished');
    expect(await leaving.sidecar.done).toBe(0);
    other.close();
    pair.app.reset();
  });

  test('by force cuts calls off, and ends with 1', async () => {
    const leaving = await pair.mesh.start('forced');
    const other = new DaprClient(leaving.sidecar.ports.grpc);
    pair.app.handler = () => undefined;
    const arrived = pair.app.next();
    const cut = other.invoke({ method: 'slow' });
    await arrived;
    expect((await other.ask('Shutdown', {}, { 'dapr-force-shutdown': 'True' })).status.code).toBe(Code.OK);
    expect(await leaving.sidecar.done).toBe(1);
    expect((await cut).status.code).toBe(Code.UNAVAILABLE);
    other.close();
    pair.app.reset();
  });
});

describe('health', () => {
  test.each(['', 'dapr.proto.runtime.v1.Dapr', `${HEALTH}.Health`])('of %j is SERVING', async (service) => {
    const outcome = await client.caller.call(CHECK, [health(service)]);
    expect([outcome.status.code, servingOf(outcome.messages[0])]).toEqual([Code.OK, 'SERVING']);
  });

  test("of anything else is NOT_FOUND, the app's own services too", async () => {
    const outcome = await client.caller.call(CHECK, [health('shop.v1.Orders')]);
    expect(outcome.status).toMatchObject({ code: Code.NOT_FOUND, details: expect.stringContaining('shop.v1.Orders') });
  });

  test("is the sidecar's own for a call that names an app, too", async () => {
    const caller = callerOf(pair.caller, 'callee');
    const outcome = await caller.call(CHECK, [health('')]);
    expect([servingOf(outcome.messages[0]), pair.app.seen]).toEqual(['SERVING', []]);
    caller.close();
  });

  test('is NOT_SERVING until the app listens; who watches is told of each change, and of the end', async () => {
    const [port, grpc] = [await freePort(), await freePort()];
    const app = { port, host: '127.0.0.1', token: undefined };
    const starting = pair.mesh.start('late', { config: { app, grpcPort: { port: grpc, isFlexible: false } } });
    const early = new DaprClient(grpc);
    const isWatched = async () => (await early.caller.call(CHECK, [health('')])).messages.length > 0;
    while (!(await isWatched()));
    const stream = early.caller.open(WATCH);
    const outcome = outcomeOf(stream);
    const told: unknown[] = [];
    const isServing = new Promise<void>((serving) => {
      stream.on('data', (bytes: Buffer) => {
        told.push(servingOf(bytes));
        if (told.at(-1) === 'SERVING') serving();
      });
    });
    stream.write(health(''));
    stream.end();
    await new Promise((first) => stream.once('data', first));
    expect(told).toEqual(['NOT_SERVING']);
    const server = await listeningOn(port);
    const late = await starting;
    await isServing;
    late.sidecar.stop();
    expect([(await outcome).status.code, faultOf(await outcome)]).toEqual([Code.UNAVAILABLE, 'draining']);
    expect(told).toEqual(['NOT_SERVING', 'SERVING', 'NOT_SERVING']);
    expect(await late.stop()).toBe(0);
    early.close();
    server.close();
  });

  test('of an unknown service may be watched, in case that it comes', async () => {
    const stream = client.caller.open(WATCH);
    const outcome = outcomeOf(stream);
    stream.end(health('not.There'));
    const [bytes] = await new Promise<Buffer[]>((first) => stream.once('data', (got: Buffer) => first([got])));
    expect(servingOf(bytes)).toBe('SERVICE_UNKNOWN');
    stream.cancel();
    expect((await outcome).status.code).toBe(Code.CANCELLED);
  });
});

async function listeningOn(port: number) {
  const server = await listening((_request, response) => response.end());
  server.close();
  await new Promise((closed) => server.once('close', closed));
  const other = server.listen(port, '127.0.0.1');
  await new Promise((listens) => other.once('listening', listens));
  return other;
}

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;

  async function ask(...questions: Record<string, unknown>[]) {
    const sent = questions.map((question) => oracleEncode('grpc.reflection.v1.ServerReflectionRequest', question));
    const { messages, status } = await client.caller.call(path, sent);
    expect(status.code).toBe(Code.OK);
    return messages.map((bytes) => oracleDecode('grpc.reflection.v1.ServerReflectionResponse', bytes));
  }

  test('lists what the port serves, and nothing of the app', async () => {
    const [answer] = await ask({ host: 'me', list_services: '*' });
    expect(answer).toMatchObject({ valid_host: 'me', original_request: { host: 'me', list_services: '*' } });
    expect(answer?.list_services_response).toEqual({
      service: [
        'dapr.proto.runtime.v1.Dapr',
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
      ].map((name) => ({ name })),
    });
  });

  test.each([
    'dapr.proto.runtime.v1.Dapr',
    'dapr.proto.runtime.v1.Dapr.InvokeService',
    'dapr.proto.common.v1.InvokeRequest',
  ])('describes %s by files from which a client can be made', async (symbol) => {
    const [answer] = await ask({ file_containing_symbol: symbol });
    const root = rootOf(answer);
    const type = root.lookupType('dapr.proto.common.v1.InvokeRequest');
    const data = type.fields.data?.resolve();
    expect([data?.id, data?.resolvedType?.fullName]).toEqual([2, '.google.protobuf.Any']);
  });

  test('answers each question in order, and says what there is not', async () => {
    const answers = await ask(
      { file_by_filename: 'google/protobuf/any.proto' },
      { file_by_filename: 'nothing.proto' },
      { file_containing_symbol: 'shop.v1.Orders' },
      { all_extension_numbers_of_type: 'google.protobuf.Any' },
      { all_extension_numbers_of_type: 'no.Type' },
      { file_containing_extension: { containing_type: 'google.protobuf.Any', extension_number: 1 } },
      {},
    );
    const kinds = answers.map((answer) => answer.error_response ?? answer.message_response);
    expect(rootOf(answers[0]).lookupType('google.protobuf.Any').fields.value?.id).toBe(2);
    expect(answers[3]?.all_extension_numbers_response).toEqual({
      base_type_name: 'google.protobuf.Any',
      extension_number: [],
    });
    expect([1, 2, 4, 5, 6].map((i) => kinds[i])).toMatchObject([5, 5, 5, 5, 3].map((code) => ({ error_code: code })));
  });
});

function rootOf(answer: Record<string, unknown> | undefined): protobuf.Root {
  const response = answer?.file_descriptor_response;
  const files = typeof response === 'object' && response !== null ? Object.values(response)[0] : undefined;
  if (!Array.isArray(files)) throw new Error(`no files: ${JSON.stringify(answer)}`);
  // Files that a FileDescriptorSet has are its field 1.
  const writer = new protobuf.Writer();
  for (const file of files) writer.uint32(10).bytes(file);
  const root = protobuf.Root.fromDescriptor(writer.finish());
  root.resolveAll();
  return root;
}

describe('the API token', () => {
  const API_TOKEN = 'of-the-api';
  const APP_TOKEN = 'of-the-callee';
  const shown = { 'dapr-api-token': API_TOKEN };
  let guarded: DaprClient;

  beforeAll(async () => {
    const standingBefore = (app: Pair['callee']['app'], token: string) => ({
      app: { port: app && portOf(app), host: '127.0.0.1', token },
      apiToken: API_TOKEN,
    });
    const [sidecar] = await Promise.all([
      pair.mesh.start('guarded', { config: standingBefore(pair.caller.app, 'of-the-caller') }),
      pair.mesh.start('trusting', { config: standingBefore(pair.callee.app, APP_TOKEN) }),
    ]);
    guarded = new DaprClient(sidecar.sidecar.ports.grpc);
  });
  afterAll(() => guarded.close());

  test.each([{}, { 'dapr-api-token': 'guess' }, { 'dapr-api-token': '' }])(
    'is wanted by all but health: %j',
    async (fields) => {
      const metadata = guarded.caller.metadata(fields);
      const paths = ['/dapr.proto.runtime.v1.Dapr/GetMetadata', '/dapr.proto.runtime.v1.Dapr/Shutdown'];
      const reflection = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
      for (const path of [
        ...paths,
        reflection,
        '/dapr.proto.runtime.v1.Dapr/InvokeService',
        '/dapr.proto.runtime.v1.Dapr/None',
      ]) {
        const outcome = await guarded.caller.call(path, [''], metadata);
        expect([path, outcome.status.code, faultOf(outcome)]).toEqual([path, Code.UNAUTHENTICATED, 'token-invalid']);
        expect(outcome.status.details).not.toContain(API_TOKEN);
      }
      const healthy = await guarded.caller.call(CHECK, [health('')], metadata);
      expect(servingOf(healthy.messages[0])).toBe('SERVING');
    },
  );

  test("goes no further: the called app gets its own sidecar's, and so does the app itself", async () => {
    const got = (app: Pair['app']) => app.seen.splice(0).map(({ headers }) => headers['dapr-api-token']);
    for (const [id, app, token] of [
      ['trusting', pair.app, APP_TOKEN],
      ['callee', pair.app, undefined],
      ['guarded', pair.ownApp, 'of-the-caller'],
    ] as const) {
      expect((await guarded.invoke({ id, method: 'a' }, shown)).status.code).toBe(Code.OK);
      expect([id, got(app)]).toEqual([id, [token]]);
    }
  });
});

test('a web page, or another name for this machine, is refused by every method', async () => {
  for (const path of [CHECK, '/dapr.proto.runtime.v1.Dapr/GetMetadata']) {
    const outcome = await client.caller.call(path, [''], client.caller.metadata({ origin: 'https://evil.example' }));
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.PERMISSION_DENIED, 'origin-refused']);
  }
  expect((await send(pair.port, { path: to('callee') })).status).toBe(200);
});
