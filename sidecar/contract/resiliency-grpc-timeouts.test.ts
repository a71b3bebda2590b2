// What timeouts mean to streams of gRPC: that of a try bounds it until the answer begins, that of the whole call to its last byte.
import { once } from 'node:events';
import { status as Code, Metadata } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import {
  type Duplex,
  faultOf,
  type GrpcApp,
  type GrpcCaller,
  grpcPairForAll,
  outcomeOf,
  type Upload,
} from '../testing/grpc-app.ts';
import { about, policiesForAll, SOON, type Spec } from './testing-resiliency.ts';

const clock = manualClock();
const policies = policiesForAll();
let app: GrpcApp;
let caller: GrpcCaller;
grpcPairForAll(
  (pair) => {
    ({ app, caller } = pair);
  },
  { clock, config: { resiliencies: policies.objects } },
);

const TIMES = { timeouts: { short: '500ms', whole: '2s' }, retries: { often: { ...SOON, maxRetries: 3 } } };
const goBy = (target: Spec) => policies.goBy(about('shop', target, TIMES));

/** A stream that the app has heard a message of, and that it answers as the test says. */
async function heard(method: 'Upload' | 'Duplex') {
  const { promise, resolve } = Promise.withResolvers<Upload | Duplex>();
  const hears = (call: Upload | Duplex) => void call.on('error', () => undefined).once('data', () => resolve(call));
  app.behaviour.upload = hears;
  app.behaviour.duplex = (call) => hears(call.once('end', () => call.end()));
  const stream = caller.open(method);
  const outcome = outcomeOf(stream);
  stream.write(Buffer.from('x'));
  return { stream, outcome, served: await promise };
}

describe.each(['Upload', 'Duplex'] as const)('the timeout of a try, for %s', (method) => {
  test('ends a stream whose answer has not begun; it is not tried again, and the app is told', async () => {
    goBy({ timeout: 'short', retry: 'often' });
    const { outcome, served } = await heard(method);
    const cancelled = once(served, 'cancelled');
    clock.advance(500);
    const ended = await outcome;
    expect([ended.status.code, faultOf(ended)]).toEqual([Code.DEADLINE_EXCEEDED, 'timeout']);
    expect(ended.status.details).toContain('500 ms that a Resiliency gives each try');
    await cancelled;
    expect(app.seen).toHaveLength(1);
  });
});

test('a stream whose answer has begun outlives the timeout of a try', async () => {
  goBy({ timeout: 'short' });
  const { stream, outcome, served } = await heard('Duplex');
  const begun = once(stream, 'metadata');
  served.sendMetadata(new Metadata());
  await begun;
  clock.advance(5000);
  stream.end();
  expect((await outcome).status.code).toBe(Code.OK);
});

test.each([
  ['a stream of requests', 'Upload'],
  ['a stream of both sides', 'Duplex'],
] as const)(
  'the timeout of the whole call ends %s in the middle of its answer, and the app is told',
  async (_, method) => {
    goBy({ totalTimeout: 'whole' });
    const { stream, outcome, served } = await heard(method);
    const begun = once(stream, 'metadata');
    served.sendMetadata(new Metadata());
    await begun;
    const cancelled = once(served, 'cancelled');
    clock.advance(1999);
    expect(served.cancelled).toBe(false);
    clock.advance(1);
    const ended = await outcome;
    expect([ended.status.code, faultOf(ended)]).toEqual([Code.DEADLINE_EXCEEDED, 'timeout']);
    await cancelled;
  },
);

test("the caller's own deadline ends a stream, if it is sooner", async () => {
  goBy({ totalTimeout: 'whole' });
  const { promise: came, resolve: come } = Promise.withResolvers<void>();
  app.behaviour.duplex = () => come();
  const stream = caller.open('Duplex', caller.metadata({ 'grpc-timeout': '1S' }));
  const outcome = outcomeOf(stream);
  await came;
  clock.advance(1000);
  expect((await outcome).status.code).toBe(Code.DEADLINE_EXCEEDED);
});
