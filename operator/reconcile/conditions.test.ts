// What the status of a resource says, and when it is written anew.
import { describe, expect, test } from 'vitest';
import type { Resource } from '../../api/resources/object.ts';
import type { Status } from '../../api/resources/status.ts';
import { isNewlyRefused, type Verdict, wantedStatus } from './conditions.ts';

const NOW_MS = Date.parse('2030-01-01T12:00:00.123Z');
const LATER_MS = NOW_MS + 3_600_000;

const good: Verdict = { refusal: undefined, unenforced: undefined };
const bad: Verdict = { refusal: { reason: 'Invalid', message: 'it is wrong' }, unenforced: undefined };

function object(generation: number, status?: Status): Resource<unknown> {
  return { metadata: { name: 'a', namespace: 'shop', generation }, spec: {}, ...(status && { status }) };
}

function written(verdict: Verdict, of = object(3), nowMs = NOW_MS): Status {
  const status = wantedStatus(of, verdict, nowMs);
  if (status === undefined) throw new Error('nothing was to be written');
  return status;
}

const brief = ({ conditions }: Status) => conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`);

describe('the status', () => {
  test('says of what generation it speaks, and since when', () => {
    const status = written(good);
    expect(status.observedGeneration).toBe(3);
    expect(brief(status)).toEqual(['Accepted=True Accepted', 'Programmed=True Programmed']);
    for (const condition of status.conditions ?? []) {
      expect(condition).toMatchObject({ observedGeneration: 3, lastTransitionTime: '2030-01-01T12:00:00Z' });
    }
  });

  test('of a bad object says why, and that no sidecar has it', () => {
    const status = written(bad);
    expect(brief(status)).toEqual(['Accepted=False Invalid', 'Programmed=False NotAccepted']);
    expect(status.conditions?.[0]?.message).toBe('it is wrong');
  });

  test('of what is not acted on says so, and accepts it', () => {
    const status = written({ ...good, unenforced: 'nobody acts on it' });
    expect(brief(status)).toEqual(['Accepted=True Accepted', 'Programmed=False NotEnforced']);
  });

  test('is not written again when nothing has changed', () => {
    expect(wantedStatus(object(3, written(good)), good, LATER_MS)).toBeUndefined();
  });

  test('keeps the time of a condition that has not turned', () => {
    const status = written(good, object(4, written(good)), LATER_MS);
    expect(status.conditions?.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
      '2030-01-01T12:00:00Z',
      '2030-01-01T12:00:00Z',
    ]);
    const turned = written(bad, object(4, written(good)), LATER_MS);
    expect(turned.conditions?.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
      '2030-01-01T13:00:00Z',
      '2030-01-01T13:00:00Z',
    ]);
  });

  test('is written again when somebody changed it', () => {
    const [accepted] = written(good).conditions ?? [];
    const edited = { observedGeneration: 3, conditions: accepted === undefined ? [] : [accepted] };
    expect(brief(written(good, object(3, edited)))).toHaveLength(2);
  });
});

test('a refusal is news once, and again when its reason is another', () => {
  expect(isNewlyRefused(undefined, written(bad))).toBe(true);
  expect(isNewlyRefused(written(good), written(bad))).toBe(true);
  expect(isNewlyRefused(written(bad), written(bad))).toBe(false);
  const worse = written({ ...bad, refusal: { reason: 'Invalid', message: 'it is worse' } });
  expect(isNewlyRefused(written(bad), worse)).toBe(true);
  expect(isNewlyRefused(written(bad), written(good))).toBe(false);
});
