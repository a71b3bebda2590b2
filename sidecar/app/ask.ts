// A question to the app, and the time that it has for an answer.
import type { Cancel, Clock } from '../../kit/clock.ts';

/** Asks the app once. `answered` is called once, in a later turn, unless it is cancelled: undefined for a good answer. */
export type Ask = (answered: (problem: string | undefined) => void) => Cancel;

/** The same, where time that is up is an answer, too. */
export function askWithin(
  timeoutMs: number,
  ask: Ask,
  clock: Clock,
  answered: (problem: string | undefined) => void,
): Cancel {
  let isOpen = true;
  const once = (problem: string | undefined) => {
    if (!isOpen) return;
    isOpen = false;
    cancelTimeout();
    answered(problem);
  };
  const cancelTimeout = clock.after(timeoutMs, () => {
    once(`it did not answer within ${timeoutMs} ms`);
    cancelAsking();
  });
  const cancelAsking = ask(once);
  return () => {
    isOpen = false;
    cancelTimeout();
    cancelAsking();
  };
}
