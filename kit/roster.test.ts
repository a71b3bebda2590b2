// Property test of rosters, with a Set as oracle.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Enrolled, NOT_ENROLLED, Roster } from './roster.ts';

class Guest implements Enrolled {
  placeInRoster = NOT_ENROLLED;
}

test('a roster has whoever was added and not deleted, as a Set has', () => {
  const guests = Array.from({ length: 8 }, () => new Guest());
  fc.assert(
    fc.property(fc.array(fc.nat(7)), (turns) => {
      const [roster, set] = [new Roster<Guest>(), new Set<Guest>()];
      for (const guest of guests) guest.placeInRoster = NOT_ENROLLED;
      for (const turn of turns) {
        const guest = guests[turn] ?? new Guest();
        if (set.delete(guest)) roster.delete(guest);
        else {
          set.add(guest);
          roster.add(guest);
        }
        expect(new Set(roster.list())).toEqual(set);
        expect(roster.size).toBe(set.size);
      }
    }),
  );
});

test('to delete one that is not there, or no longer, takes nobody else away', () => {
  const roster = new Roster<Guest>();
  const [first, second] = [new Guest(), new Guest()];
  roster.add(first);
  roster.delete(second);
  roster.delete(first);
  roster.add(second);
  roster.delete(first);
  expect(roster.list()).toEqual([second]);
});
