// What is to be done at the end of this turn of the loop, by all who have gathered something in it: one call of the platform
// for all of them, and no closure for any.

export interface Gathering {
  turnEnded(): void;
}

let waiting: Gathering[] = [];

/** Calls `turnEnded` once, after everything that this turn still brings. */
export function atTurnEnd(gathering: Gathering): void {
  if (waiting.push(gathering) === 1) setImmediate(endTurn);
}

function endTurn(): void {
  const due = waiting;
  waiting = [];
  let next = 0;
  try {
    while (next < due.length) due[next++]?.turnEnded();
  } finally {
    // One that throws has a bug of its own, and takes nobody's turn away.
    for (; next < due.length; next++) {
      const after = due[next];
      if (after !== undefined) atTurnEnd(after);
    }
  }
}
