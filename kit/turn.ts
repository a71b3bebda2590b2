// What has to be done by the end of a turn of the event loop: one wake-up for all who ask in that turn.
//
// Most of what is asked for has become needless by then (a head that left with its body). Asking costs an entry in a list,
// where `setImmediate` for each would cost a timer object and a closure.
export interface TurnTask {
  turnOver(): void;
}

let waiting: TurnTask[] = [];

/** Calls `task.turnOver()` once everything that this turn has read is dealt with. Nothing that it throws stops the others. */
export function atTurnEnd(task: TurnTask): void {
  if (waiting.push(task) === 1) setImmediate(runAll);
}

function runAll(): void {
  const tasks = waiting;
  waiting = [];
  let at = 0;
  try {
    for (; at < tasks.length; at++) tasks[at]?.turnOver();
  } finally {
    // One has thrown: the process hears of it, and the others have their turn all the same.
    for (const task of tasks.slice(at + 1)) atTurnEnd(task);
  }
}
