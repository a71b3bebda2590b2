// Consistent hashing: equal keys go to the same member, and when members come or go few keys move. No member takes much more
// than its share at a time (bounded load): what is too much goes to the next one on the ring.
import { type Instance, isWilling, type Member, memberKey } from './member.ts';

/** Places of each member on the ring: the more, the evener the shares, and the longer it takes to make one. */
function placesEach(members: number): number {
  if (members <= 200) return 100;
  return members <= 2000 ? 20 : 5;
}

/** How far above the mean the calls in flight of one member may be. */
const LOAD_BOUND = 1.25;

interface Place<I extends Instance> {
  readonly at: number;
  readonly member: Member<I>;
}

export class HashRing<I extends Instance> {
  readonly #places: readonly Place<I>[];
  readonly #members: readonly Member<I>[];

  constructor(members: readonly Member<I>[]) {
    this.#members = members;
    this.#places = members
      .flatMap((member) => placesOf(member, placesEach(members.length)))
      .sort((a, b) => a.at - b.at);
  }

  /** The key's member; the next one if that is unwilling, overloaded or tried; where all are, the first that is least of it. */
  find(key: string, tried: ReadonlySet<Member<I>> | undefined): Member<I> | undefined {
    const places = this.#places;
    const start = firstFrom(places, hash(key));
    const limit = this.#limit();
    let willing: Member<I> | undefined;
    let anybody: Member<I> | undefined;
    for (let step = 0; step < places.length; step++) {
      const member = places[(start + step) % places.length]?.member;
      if (member === undefined || tried?.has(member)) continue;
      anybody ??= member;
      if (!isWilling(member)) continue;
      if (member.inFlight < limit) return member;
      willing ??= member;
    }
    return willing ?? anybody;
  }

  #limit(): number {
    const inFlight = this.#members.reduce((sum, member) => sum + member.inFlight, 0);
    return Math.ceil((LOAD_BOUND * (inFlight + 1)) / this.#members.length);
  }
}

function placesOf<I extends Instance>(member: Member<I>, count: number): readonly Place<I>[] {
  const key = memberKey(member.instance);
  return Array.from({ length: count }, (_, number) => ({ at: hash(`${key}#${number}`), member }));
}

function firstFrom(places: readonly { readonly at: number }[], at: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle]?.at ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** FNV-1a, and its bits mixed once more, as those of similar short texts are too alike. */
export function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x0100_0193);
  value = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
