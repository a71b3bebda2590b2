// How one of several members is chosen. All of them are willing; whom to leave out is decided before.
import type { Random } from '../../../kit/backoff.ts';
import type { Instance, Member } from './member.ts';

export type Choose = <I extends Instance>(
  members: readonly Member<I>[],
  nowMs: number,
  random: Random,
) => Member<I> | undefined;

export function pickRandom<I extends Instance>(
  members: readonly Member<I>[],
  _nowMs: number,
  random: Random,
): Member<I> | undefined {
  return members[Math.floor(random() * members.length)];
}

/** Two by chance, and the better of them: nearly as good as the best of all, and without everybody rushing at that one. */
function powerOfTwo(isBetter: (a: Member, b: Member, nowMs: number) => boolean): Choose {
  return (members, nowMs, random) => {
    const count = members.length;
    if (count < 2) return members[0];
    const first = Math.floor(random() * count);
    const skipped = Math.floor(random() * (count - 1));
    const a = members[first];
    const b = members[skipped < first ? skipped : skipped + 1];
    if (a === undefined || b === undefined) return a ?? b;
    return isBetter(b, a, nowMs) ? b : a;
  };
}

export const pickPeakEwma: Choose = powerOfTwo((a, b, nowMs) => a.load(nowMs) < b.load(nowMs));

export const pickLeastRequest: Choose = powerOfTwo((a, b) => a.inFlight < b.inFlight);

/** Turns are counted in small integers, which cost no allocation; where they begin again matters to nobody. */
const TURNS_MASK = 0x3fff_ffff;

export function roundRobin(random: Random): Choose {
  // Many callers that start together should not all begin with the same one.
  let turn = Math.floor(random() * TURNS_MASK);
  return (members) => {
    turn = (turn + 1) & TURNS_MASK;
    return members[turn % members.length];
  };
}
