// Policies over native gRPC, through both sidecars, and over InvokeService. Of the behaviours of Dapr that programs rely on: only
// listed codes are retried, and others tried once; calls recover from failures and end with the last status; a breaker trips after its
// threshold and says "circuit breaker is open". A stream is never sent twice.
import { status as Code, Metadata } from '@grpc/grpc-js';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { DaprClient } from '../testing/dapr-client.ts';
import { failing, faultOf, type GrpcApp, type GrpcCaller, grpcPairForAll } from '../testing/grpc-app.ts';
import { about, Instance, policiesForAll, SOON } from './testing-resiliency.ts';

const { goBy, objects } = policiesForAll();
const plain = new Instance();
let app: GrpcApp;
let caller: GrpcCaller;
let dapr: DaprClient;
grpcPairForAll(
  async (pair) => {
    ({ app, caller } = pair);
    await plain.start(pair.mesh, 'plain');
    dapr = new DaprClient(pair.web.sidecar.ports.grpc);
  },
  { config: { resiliencies: objects } },
);
afterEach(() => plain.reset());
afterAll(() => dapr.close());

const BUDGET = { retryBudget: { percent: 100, minPerSecond: 100 } };
const some = (gRPCStatusCodes?: string, maxRetries = 3) => ({
  retries: { some: { ...SOON, maxRetries, ...(gRPCStatusCodes && { matching: { gRPCStatusCodes } }) } },
});
const fails = (...codes: readonly number[]) => failing(app, codes);

describe('a unary call', () => {
  test('is made once without a policy', async () => {
    fails(Code.UNAVAILABLE);
    expect((await caller.call('Unary', ['x'])).status).toMatchObject({ code: Code.UNAVAILABLE, details: 'code 14' });
    expect(app.seen).toHaveLength(1);
  });

  test('is made again as the policy says, with its metadata and message', async () => {
    goBy(about('shop', { retry: 'some', ...BUDGET }, some()));
    fails(Code.UNAVAILABLE, Code.INTERNAL, Code.NOT_FOUND);
    const outcome = await caller.call('Unary', ['hello'], caller.metadata({ 'x-mine': 'yes' }));
    expect([outcome.status.code, outcome.messages.map(String)]).toEqual([Code.OK, ['hello']]);
    expect(app.seen.map((metadata) => metadata.get('x-mine'))).toEqual([['yes'], ['yes'], ['yes'], ['yes']]);
  });

  test('ends with the last status', async () => {
    goBy(about('shop', { retry: 'some', ...BUDGET }, some()));
    fails(2, 2, 2, 13);
    expect((await caller.call('Unary', ['x'])).status).toMatchObject({ code: 13, details: 'code 13' });
    expect(app.seen).toHaveLength(4);
  });

  test.each([
    [14, 2],
    [2, 2],
    [13, 1],
    [5, 1],
  ])('of the codes 1-4 and 14: %i makes for calls: %i', async (code, calls) => {
    goBy(about('shop', { retry: 'some', ...BUDGET }, some('1-4,14')));
    fails(code);
    await caller.call('Unary', ['x']);
    expect(app.seen).toHaveLength(calls);
  });

  test('goes by a route of its method', async () => {
    const routes = [{ name: 'unary', grpc: ['shop.v1.Orders/Unary'], retry: 'some' }];
    goBy(about('shop', { routes, ...BUDGET }, some()));
    fails(14);
    expect((await caller.call('Unary', ['x'])).status.code).toBe(Code.OK);
    app.behaviour.upload = (call, done) => {
      call.resume();
      call.on('end', () => done({ code: 14, details: 'no' }));
    };
    expect((await caller.call('Upload', ['x'])).status.code).toBe(14);
    expect(app.seen).toHaveLength(3);
  });
});

describe('a stream', () => {
  test('that has not ended is sent once, and heard at once', async () => {
    goBy(about('shop', { retry: 'some', ...BUDGET }, some()));
    app.behaviour.duplex = (call) => {
      call.sendMetadata(new Metadata());
      call.on('data', () => call.emit('error', { code: 14, details: 'no more' }));
    };
    const stream = caller.open('Duplex');
    const ended = new Promise<number>((done) => stream.on('status', ({ code }) => done(code)));
    stream.on('error', () => undefined);
    stream.on('data', () => undefined);
    stream.on('metadata', () => stream.write(Buffer.from('x')));
    expect(await ended).toBe(14);
    expect(app.seen).toHaveLength(1);
  });

  test('of answers that has begun is not asked for again', async () => {
    goBy(about('shop', { retry: 'some', ...BUDGET }, some()));
    app.behaviour.download = (call) => {
      call.write(Buffer.from('one'));
      call.emit('error', { code: 14, details: 'no more' });
    };
    const outcome = await caller.call('Download', ['x']);
    expect([outcome.status.code, outcome.messages.map(String)]).toEqual([14, ['one']]);
    expect(app.seen).toHaveLength(1);
  });
});

test('a breaker opens after its threshold, and refuses without calling', async () => {
  const circuitBreakers = { soon: { trip: 'consecutiveFailures > 2', timeout: '60s' } };
  goBy(about('shop', { circuitBreaker: 'soon' }, { circuitBreakers }));
  fails(14, 14, 14);
  for (let number = 0; number < 3; number++) expect((await caller.call('Unary', ['x'])).status.code).toBe(14);
  const refused = await caller.call('Unary', ['x']);
  expect(refused.status).toMatchObject({ code: 14, details: expect.stringContaining('circuit breaker is open') });
  expect(faultOf(refused)).toBe('breaker-open');
  expect(app.seen).toHaveLength(3);
});

describe('InvokeService', () => {
  test('goes by the policies, and is told the HTTP status of an app that speaks HTTP', async () => {
    const matching = { httpStatusCodes: '500', gRPCStatusCodes: '1' };
    goBy(about('plain', { retry: 'some', ...BUDGET }, { retries: { some: { ...SOON, maxRetries: 2, matching } } }));
    plain.answers = [500, 500];
    const good = await dapr.invoke({ id: 'plain', method: 'pay', verb: 4, body: 'x' });
    expect(good.status.code).toBe(Code.OK);
    expect(plain.seen.map(({ body }) => body)).toEqual(['x', 'x', 'x']);
    plain.answers = [503];
    expect((await dapr.invoke({ id: 'plain', method: 'pay', verb: 4 })).status.code).toBe(Code.UNAVAILABLE);
    expect(plain.seen).toHaveLength(4);
  });
});
