// What a caller is told of where its time went: every stage and every try, and all of them together are the whole of it.
import { expect, test } from 'vitest';
import { type FailedTry, type Journey, timeSpent } from './time-spent.ts';

const journey = (more: Partial<Journey>): Journey => ({
  ...{ startedMs: 1000, nowMs: 2000, queuedMs: undefined, failed: [], current: undefined },
  ...more,
});
const refused: FailedTry = {
  ...{ startedMs: 1010, connectedMs: 'not-yet', answeredMs: undefined, endedMs: 1210 },
  outcome: { kind: 'fault', code: 'peer-unreachable' },
};
const failed: FailedTry = {
  ...{ startedMs: 1310, connectedMs: 1330, answeredMs: undefined, endedMs: 1400 },
  outcome: { kind: 'answer', protocol: 'grpc', status: 14 },
};
const slow: FailedTry = {
  ...failed,
  startedMs: 1400,
  connectedMs: 500,
  endedMs: 1900,
  outcome: { kind: 'try-timeout' },
};
const now = { startedMs: 1900, connectedMs: 500, answeredMs: undefined };

test.each<[string, Partial<Journey>, string]>([
  ['a name that was not found', {}, 'resolving its name 1000 ms'],
  [
    'nobody at the address',
    { current: { ...now, startedMs: 1001, connectedMs: 'not-yet', number: 1 } },
    'resolving its name 1 ms, connecting 999 ms',
  ],
  [
    'an app that is slow to answer, on a connection made for it',
    { current: { ...now, startedMs: 1001, connectedMs: 1900, number: 1 } },
    'resolving its name 1 ms, connecting 899 ms, waiting for its answer 100 ms',
  ],
  [
    'an answer without an end, on a connection that was there',
    { current: { ...now, answeredMs: 1950, number: 1 } },
    'resolving its name 900 ms, connecting 0 ms, waiting for its answer 50 ms, reading it 50 ms',
  ],
  ['a turn that did not come', { queuedMs: 1400 }, 'resolving its name 400 ms, waiting for its turn 600 ms'],
  [
    'a turn that came',
    { queuedMs: 1400, current: { ...now, number: 1 } },
    'resolving its name 400 ms, waiting for its turn 500 ms, connecting 0 ms, waiting for its answer 100 ms',
  ],
  [
    'a transport that does not speak of connections',
    { current: { ...now, connectedMs: undefined, number: 1 } },
    'resolving its name 900 ms, waiting for its answer 100 ms',
  ],
  [
    'tries, the last of which is under way',
    { failed: [refused, failed, slow], current: { ...now, number: 4 } },
    'resolving its name 10 ms; try 1: connecting 200 ms, then peer-unreachable; a pause of 100 ms; ' +
      'try 2: connecting 20 ms, waiting for its answer 70 ms, then gRPC status 14; ' +
      'try 3: connecting 0 ms, waiting for its answer 500 ms, then its time was up; ' +
      'try 4: connecting 0 ms, waiting for its answer 100 ms',
  ],
  [
    'a pause after a try',
    { failed: [refused] },
    'resolving its name 10 ms; try 1: connecting 200 ms, then peer-unreachable; a pause of 790 ms',
  ],
  [
    'more tries than are remembered',
    { failed: [refused], current: { ...now, number: 9 } },
    'resolving its name 10 ms; try 1: connecting 200 ms, then peer-unreachable; tries 2 to 8, and pauses 690 ms; ' +
      'try 9: connecting 0 ms, waiting for its answer 100 ms',
  ],
])('%s', (_what, more, told) => {
  const text = timeSpent(journey(more));
  expect(text).toBe(told);
  const all = [...text.matchAll(/(\d+) ms/g)].reduce((sum, [, ms]) => sum + Number(ms), 0);
  expect(all).toBe(1000);
});
