// What calls to one target leave for those that come after them: a budget, and what is known of each endpoint.
import { beforeEach, describe, expect, test } from 'vitest';
import { fault } from '../../api/fault.ts';
import { BUILT_IN, type TargetPlan } from '../../policy/resiliency/plan.ts';
import { Targets } from './targets.ts';
import {
  clock,
  endpoints,
  fails,
  forgetSeen,
  heard,
  nth,
  OK,
  type RunOptions,
  run,
  seen,
  startAnew,
} from './testing.ts';

beforeEach(startAnew);

const IN_TURN: TargetPlan = { ...BUILT_IN, balancing: { ...BUILT_IN.balancing, algorithm: 'round-robin' } };

describe('what a target has cost and done is remembered from call to call', () => {
  const shared = (plan = BUILT_IN): RunOptions => ({
    targets: new Targets(
      () => plan,
      () => 0,
      clock,
    ),
  });

  test('a call that finds the budget empty hears of its first try', () => {
    const options = shared();
    let tries = 0;
    for (let call = 0; call < 40; call++) {
      forgetSeen();
      run(endpoints(1, 2, 3, 4), { ...options, refusesAtOnce: 'app-unreachable' });
      tries += seen.length;
    }
    // Ten to begin with; a fifth of forty calls is less.
    expect(tries - 40).toBe(17);
    expect(heard.at(-1)).toBe('abort app-unreachable');
  });

  test('a connection that was closing is no load, and costs nothing', () => {
    const options = shared();
    for (let call = 0; call < 40; call++) {
      forgetSeen();
      run(endpoints(1), options);
      fails(0, 'peer-closing');
      expect(seen).toHaveLength(2);
      nth(1).reply.head(OK);
      nth(1).reply.end([]);
    }
  });

  test('one that turned a call away is passed over, until it is back after five seconds', () => {
    const options = shared(IN_TURN);
    const next = () => {
      forgetSeen();
      run(endpoints(1, 2), options);
      nth(0).reply.head(OK);
      nth(0).reply.end([]);
      return nth(0).port;
    };
    run(endpoints(1, 2), options);
    const [aside, other] = [nth(0).port, 3 - nth(0).port];
    fails(0, 'draining');
    nth(1).reply.head(OK);
    nth(1).reply.end([]);
    expect([next(), next(), next()]).toEqual([other, other, other]);
    clock.advance(5000);
    expect(new Set([next(), next(), next(), next(), next(), next()])).toContain(aside);
  });

  test('one that fails five times in a row gets one call after ten seconds, and the others when that went well', () => {
    const options = shared(IN_TURN);
    const answers = (status: number) => {
      forgetSeen();
      run(endpoints(1, 2), options);
      nth(0).reply.head({ ...OK, status: nth(0).port === 1 ? status : 200 });
      nth(0).reply.end([]);
      return nth(0).port;
    };
    const got = Array.from({ length: 200 }, () => {
      clock.advance(20);
      return answers(500);
    });
    const failed = got.filter((port) => port === 1).length;
    expect(failed).toBe(5);
    clock.advance(10_000);
    const later = Array.from({ length: 20 }, () => answers(500));
    expect(later.filter((port) => port === 1)).toEqual([1]);
    clock.advance(20_000);
    expect(answers(200)).toBe(1);
  });

  test('one that has more under way is passed over, and gets calls again as they end', () => {
    const options = shared();
    run(endpoints(1, 2), options);
    run(endpoints(1, 2), options);
    expect(seen.map(({ port }) => port).sort()).toEqual([1, 2]);
    for (const { reply } of [...seen]) {
      reply.head(OK);
      clock.advance(1);
    }
    nth(0).reply.end([]);
    const { port } = nth(0);
    run(endpoints(1, 2), options);
    expect(nth(2).port).toBe(port);
  });

  test('a caller that leaves gives its endpoint back, and says nothing of it', () => {
    const targets = new Targets(
      () => BUILT_IN,
      () => 0,
      clock,
    );
    const upstream = endpoints(1);
    const request = run(upstream, { targets });
    if (upstream.kind !== 'found') throw new Error('it was found');
    const member = targets.of(upstream.upstream, clock.elapsed()).pool.pick(clock.elapsed());
    expect(member?.inFlight).toBe(2);
    request.cancel(fault('cancelled', 'gone'));
    expect(member).toMatchObject({ inFlight: 1, calls: 0, failures: 0 });
  });
});
