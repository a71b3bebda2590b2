// grpcurl, which knows nothing of Invoke but what the sidecar tells it by reflection.
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { startProgram } from '../cli/testing.ts';
import { findProgram } from '../wire/testing/programs.ts';
import { endOfGroup, machine, type Program } from './machine.ts';

const HELLO = `
  import { createServer } from 'node:http';
  createServer((request, response) => {
    response.setHeader('content-type', 'text/plain');
    response.end(request.method + ' ' + request.url + ' by ' + request.headers['dapr-caller-app-id']);
  }).listen(process.env.APP_PORT, '127.0.0.1');
`;
const DAPR = 'dapr.proto.runtime.v1.Dapr';

const grpcurl = findProgram('grpcurl');
const atEnd = endOfGroup();
let web: Program;
let guarded: Program;
beforeAll(async () => {
  if (grpcurl === undefined) return;
  const laptop = machine(atEnd);
  const anyPort = ['--grpc-port', '0'];
  web = await laptop.sidecar('web', anyPort);
  guarded = await laptop.sidecar('guarded', anyPort, { DAPR_API_TOKEN: 'the-token' });
  await laptop.run('hello', HELLO, anyPort);
});
beforeEach(({ skip }) => skip(grpcurl === undefined, 'grpcurl is not installed; see `npm run interop:tools`'));

/** What it says of a call without TLS; flags, address and the rest in the order that it wants. */
async function said(flags: readonly string[], rest: readonly string[], { grpcPort } = web): Promise<string> {
  const running = startProgram(grpcurl ?? '', ['-plaintext', ...flags, `127.0.0.1:${grpcPort}`, ...rest], {});
  await running.ended;
  return `${running.stdout()}${running.stderr()}`;
}

test('lists what the port serves', async () => {
  expect((await said([], ['list'])).trim().split('\n')).toEqual([
    ...[DAPR, 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection'],
    'grpc.reflection.v1alpha.ServerReflection',
  ]);
});

test('describes methods and messages, those of others that they stand on, too', async () => {
  expect(await said([], ['describe', `${DAPR}.InvokeService`])).toContain(
    'rpc InvokeService ( .dapr.proto.runtime.v1.InvokeServiceRequest ) returns ( .dapr.proto.common.v1.InvokeResponse )',
  );
  expect(await said([], ['describe', '.dapr.proto.common.v1.InvokeRequest'])).toContain(
    '.google.protobuf.Any data = 2',
  );
  expect(await said([], ['describe', '.google.protobuf.Any'])).toContain('string type_url = 1');
});

test('calls an app by InvokeService', async () => {
  const message = { method: 'greet/me', http_extension: { verb: 'PUT', querystring: 'loud=1' } };
  const answer = JSON.parse(await said(['-d', JSON.stringify({ id: 'hello', message })], [`${DAPR}/InvokeService`]));
  // An answer of HTTP has no type, which grpcurl says.
  const body = Buffer.from(answer.data['@value'], 'base64').toString();
  expect([answer.contentType, body]).toEqual(['text/plain', 'PUT /greet/me?loud=1 by web']);
});

test('is told in words what went wrong', async () => {
  const nobody = await said(['-d', '{"id":"nobody","message":{"method":"x"}}'], [`${DAPR}/InvokeService`]);
  expect(nobody).toMatch(/Code: NotFound\n {2}Message: no app "nobody" in namespace "default"/);
});

test('writes and reads metadata', async () => {
  expect(await said(['-d', '{"key":"colour","value":"blue"}'], [`${DAPR}/SetMetadata`])).toBe('{}\n');
  const read = JSON.parse(await said([], [`${DAPR}/GetMetadata`]));
  expect(read).toMatchObject({ id: 'web', extended: { colour: 'blue' } });
});

test('asks for health once, and goes on listening to it', async () => {
  expect(JSON.parse(await said([], ['grpc.health.v1.Health/Check']))).toEqual({ status: 'SERVING' });
  const unknown = await said(['-d', '{"service":"shop.v1.Orders"}'], ['grpc.health.v1.Health/Check']);
  expect(unknown).toContain('Code: NotFound');
  const address = `127.0.0.1:${web.grpcPort}`;
  await startProgram(grpcurl ?? '', ['-plaintext', address, 'grpc.health.v1.Health/Watch'], {}).printed(/SERVING/);
});

test('a sidecar with a token tells health to all, and everything else to those who have it', async () => {
  const withToken = ['-H', 'dapr-api-token: the-token'];
  expect(await said([], ['list'], guarded)).toMatch(/Unauthenticated|token/);
  expect(await said(withToken, ['list'], guarded)).toContain(DAPR);
  expect(JSON.parse(await said(withToken, [`${DAPR}/GetMetadata`], guarded))).toMatchObject({ id: 'guarded' });
});
