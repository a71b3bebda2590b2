// Who is here now, where many come and go each second.
//
// A `Set` in which entries come and go is rebuilt again and again, and the engine links each outworn inside, with the members
// that it had, to the next one. A full collection moves one of them to the old generation; from then on it keeps all that
// follow alive, and with them every call. To copy what was long over took a fifth of what a call costs (bench/call.bench.ts;
// `--trace-gc` shows it). Here nothing points to who is gone.
export interface Enrolled {
  /** The roster's own; whoever makes a member sets it to `NOT_ENROLLED`. */
  placeInRoster: number;
}

export const NOT_ENROLLED = -1;

export class Roster<Member extends Enrolled> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** One that is not in it. */
  add(member: Member): void {
    member.placeInRoster = this.#members.length;
    this.#members.push(member);
  }

  /** The last one takes its place. */
  delete(member: Member): void {
    const place = member.placeInRoster;
    if (this.#members[place] !== member) return;
    const last = this.#members.pop();
    if (last !== undefined && last !== member) {
      this.#members[place] = last;
      last.placeInRoster = place;
    }
    member.placeInRoster = NOT_ENROLLED;
  }

  /** In no order that means anything; a list of its own, so that they may come and go while it is walked. */
  list(): Member[] {
    return [...this.#members];
  }
}
