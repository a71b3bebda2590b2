// What the end of a try says of the instance, and which instances stand out. How they come back is in pick/pool.test.ts.
import { expect, test } from 'vitest';
import type { FaultCode } from '../../api/fault.ts';
import { ejectedMax, outliers, reportOf } from './eject.ts';
import { BUILT_IN } from './plan.ts';

const fault = (code: FaultCode) => ({ kind: 'fault', code }) as const;
const answer = (status: number, protocol: 'http' | 'grpc' = 'http') => ({ kind: 'answer', protocol, status }) as const;

test.each([
  [answer(200), 'success'],
  [answer(404), 'success'],
  [answer(429), 'success'],
  [answer(500), 'failure'],
  [answer(503), 'failure'],
  [answer(0, 'grpc'), 'success'],
  [answer(5, 'grpc'), 'success'],
  [answer(13, 'grpc'), 'failure'],
  [answer(14, 'grpc'), 'failure'],
  [{ kind: 'try-timeout' }, 'failure'],
  [fault('peer-broke'), 'failure'],
  [fault('app-broke'), 'failure'],
  [fault('peer-unreachable'), 'turned-away'],
  [fault('draining'), 'turned-away'],
  [fault('peer-untrusted'), 'turned-away'],
  [fault('peer-closing'), 'unknown'],
  [fault('peer-downgraded'), 'unknown'],
  [fault('cancelled'), 'unknown'],
  [fault('denied'), 'unknown'],
  [fault('body-too-large'), 'unknown'],
] as const)('%j is a %s', (outcome, report) => {
  expect(reportOf(outcome)).toBe(report);
});

test('of so many instances no more than a share are ejected, and never all', () => {
  const max = (members: number, maxPercent: number) => ejectedMax(members, { ...BUILT_IN.ejection, maxPercent });
  expect([0, 1, 2, 3, 10].map((members) => max(members, 50))).toEqual([-1, 0, 1, 1, 5]);
  expect(max(4, 100)).toBe(3);
  expect(max(100, 0)).toBe(0);
});

test('one stands out when far fewer of its calls succeed, of enough calls, among enough others', () => {
  const rated = (...successes: readonly number[]) => successes.map((count) => ({ calls: 100, successes: count }));
  const [bad] = rated(60);
  expect(outliers([...rated(100, 100, 99, 100, 98), { calls: 100, successes: 60 }])).toEqual([bad]);
  expect(outliers(rated(100, 100, 100, 100, 92))).toEqual([]);
  expect(outliers(rated(50, 50, 50, 50, 50))).toEqual([]);
  expect(outliers(rated(100, 100, 100, 0))).toEqual([]);
  expect(outliers([...rated(100, 100, 100, 100), { calls: 19, successes: 0 }])).toEqual([]);
});
