// What policies do for gRPC beyond the first call: a policy that holds by its name, an app that nobody knows, and breakers that open,
// probe and close. Of the behaviours of Dapr that programs rely on: one call without a policy and four with the default one; an unknown
// app is never tried again; a breaker that has tripped recovers after its timeout, for unary calls and for streams alike.
import { status as Code, Metadata } from '@grpc/grpc-js';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  callerOf,
  type Duplex,
  ECHO,
  failing,
  faultOf,
  type GrpcApp,
  type GrpcCaller,
  grpcPairForAll,
  type Outcome,
  outcomeOf,
} from '../testing/grpc-app.ts';
import type { MeshSidecar } from '../testing/mesh.ts';
import { about, policiesForAll, SOON, watchedClock } from './testing-resiliency.ts';

const clock = watchedClock();
const { goBy, objects } = policiesForAll();
let web: MeshSidecar;
let app: GrpcApp;
let caller: GrpcCaller;
grpcPairForAll(
  (pair) => {
    ({ web, app, caller } = pair);
  },
  { clock, config: { resiliencies: objects } },
);

const fails = (...codes: readonly number[]) => failing(app, codes);

/** A stream that app and caller keep open: both have heard of each other. */
async function openStream() {
  const { promise: came, resolve: come } = Promise.withResolvers<Duplex>();
  app.behaviour.duplex = (call) => {
    call.on('error', () => undefined);
    call.sendMetadata(new Metadata());
    come(call);
  };
  const stream = caller.open('Duplex');
  const outcome = outcomeOf(stream);
  const begun = new Promise<void>((done) => stream.once('metadata', () => done()));
  const served = await came;
  await begun;
  return {
    stream,
    outcome,
    fail: () => void served.emit('error', { code: Code.UNAVAILABLE, details: 'no more' }),
    end: () => served.end(),
  };
}

function expectOpen(outcome: Outcome): void {
  expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.UNAVAILABLE, 'breaker-open']);
  expect(outcome.status.details).toContain('circuit breaker is open');
}

describe('a policy of the name DefaultAppRetryPolicy', () => {
  const holds = () => goBy({ policies: { retries: { DefaultAppRetryPolicy: { ...SOON, maxRetries: 3 } } } });
  async function call(target: GrpcCaller): Promise<Outcome> {
    const outcome = target.call('Unary', ['x']);
    // The pauses are on the clock of the test; a call that makes none just ends.
    for (let isOver = false; !isOver; clock.advance(1)) {
      isOver = await Promise.race([outcome.then(() => true), clock.waitingFor(1).then(() => false)]);
    }
    return outcome;
  }

  test('holds for every app: four calls, where there is one without it', async () => {
    fails(14);
    expect((await call(caller)).status.code).toBe(14);
    expect(app.seen).toHaveLength(1);
    holds();
    fails(14, 14, 14);
    const outcome = await call(caller);
    expect([outcome.status.code, outcome.messages.map(String)]).toEqual([Code.OK, ['x']]);
    expect(app.seen).toHaveLength(5);
  });

  test('leaves an app alone that a target is about', async () => {
    const retries = { DefaultAppRetryPolicy: { ...SOON, maxRetries: 3 } };
    goBy(about('shop', { timeout: 'long' }, { retries, timeouts: { long: '60s' } }));
    fails(14);
    expect((await call(caller)).status.code).toBe(14);
    expect(app.seen).toHaveLength(1);
  });

  test('does not try again what is addressed to an app that nobody knows', async () => {
    const stranger = callerOf(web, 'nobody');
    // Its connection has a timer of its own from here on.
    await stranger.call('Unary', ['x']);
    holds();
    const waits = clock.waiting().length;
    const outcome = await stranger.call('Unary', ['x']);
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.NOT_FOUND, 'unknown-app']);
    expect(clock.waiting()).toHaveLength(waits);
    expect(app.seen).toEqual([]);
    stranger.close();
  });
});

describe.each([
  ['a unary call', 'Unary'],
  ['a stream of requests', 'Upload'],
])('a breaker, by %s', (_kind, method) => {
  const circuitBreakers = { soon: { trip: 'consecutiveFailures > 2', timeout: '5s' } };
  beforeEach(() => goBy(about('shop', { circuitBreaker: 'soon' }, { circuitBreakers })));
  const call = () => caller.call(method, ['x', ...(method === 'Upload' ? ['y'] : [])]);

  async function trip(): Promise<void> {
    fails(14, 14, 14);
    for (let number = 0; number < 3; number++) expect((await call()).status.details).toBe('code 14');
    expectOpen(await call());
    expect(app.seen).toHaveLength(3);
  }

  test('closes when its probe goes well, once its time is over and not before', async () => {
    await trip();
    clock.advance(4999);
    expectOpen(await call());
    clock.advance(1);
    for (let number = 0; number < 3; number++) expect((await call()).status.code).toBe(Code.OK);
    expect(app.seen).toHaveLength(6);
  });

  test('opens anew, for as long, when its probe fails', async () => {
    await trip();
    clock.advance(5000);
    fails(14);
    expect((await call()).status.details).toBe('code 14');
    clock.advance(4999);
    expectOpen(await call());
    expect(app.seen).toHaveLength(4);
    clock.advance(1);
    expect((await call()).status.code).toBe(Code.OK);
  });
});

describe('a breaker, by streams of both sides', () => {
  const circuitBreakers = { soon: { trip: 'consecutiveFailures > 1', timeout: '5s' } };
  beforeEach(() => goBy(about('shop', { circuitBreaker: 'soon' }, { circuitBreakers })));

  async function trip(): Promise<void> {
    for (let number = 0; number < 2; number++) {
      const { fail, outcome } = await openStream();
      fail();
      expect((await outcome).status).toMatchObject({ code: 14, details: 'no more' });
    }
  }

  test('counts how they end, if no message came before; refuses new ones, and leaves those alone that are under way', async () => {
    const old = await openStream();
    await trip();
    expectOpen(await caller.call('Duplex', ['x']));
    expect(app.seen).toHaveLength(3);
    old.end();
    old.stream.end();
    expect((await old.outcome).status.code).toBe(Code.OK);
  });

  test('lets one probe, which decides when it has ended without a message', async () => {
    await trip();
    clock.advance(5000);
    const probe = await openStream();
    expectOpen(await caller.call('Duplex', ['x']));
    probe.end();
    probe.stream.end();
    expect((await probe.outcome).status.code).toBe(Code.OK);
    app.behaviour = { ...ECHO };
    expect((await caller.call('Duplex', ['x'])).messages.map(String)).toEqual(['x']);
  });

  test('opens anew when the probe ends badly, without a message', async () => {
    await trip();
    clock.advance(5000);
    const probe = await openStream();
    probe.fail();
    expect((await probe.outcome).status.details).toBe('no more');
    expectOpen(await caller.call('Duplex', ['x']));
  });

  test('takes a first message for a success, however the stream ends', async () => {
    app.behaviour.duplex = (call) => {
      call.on('error', () => undefined);
      call.write(Buffer.from('one'));
      call.emit('error', { code: Code.UNAVAILABLE, details: 'no more' });
    };
    for (let number = 0; number < 4; number++) {
      const outcome = await caller.call('Duplex', ['x']);
      expect([outcome.status.details, outcome.messages.map(String)]).toEqual(['no more', ['one']]);
    }
    expect(app.seen).toHaveLength(4);
  });

  test('does not count those that the caller has given up', async () => {
    for (let number = 0; number < 3; number++) {
      const { stream, outcome } = await openStream();
      stream.cancel();
      expect((await outcome).status.code).toBe(Code.CANCELLED);
    }
    const { end, stream, outcome } = await openStream();
    end();
    stream.end();
    expect((await outcome).status.code).toBe(Code.OK);
  });
});
