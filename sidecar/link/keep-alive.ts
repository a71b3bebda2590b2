// How a connection finds out that its other end has vanished: nothing else says so.
import { type Cancel, type Clock, every } from '../../kit/clock.ts';

/** What vanished is noticed within 15 s. */
const PING_PERIOD_MS = 10_000;
const PING_TIMEOUT_MS = 5000;

/** An HTTP/2 connection of either side. */
export interface Pingable {
  ping(answered: () => void): void;
}

/** Calls `onDead` when the other end leaves a ping unanswered; the owner cancels it when the connection is gone. */
export function keepAlive(connection: Pingable, clock: Clock, onDead: () => void): Cancel {
  let cancelDead: Cancel = () => undefined;
  const cancelPing = every(clock, PING_PERIOD_MS, () => {
    cancelDead();
    cancelDead = clock.after(PING_TIMEOUT_MS, onDead);
    connection.ping(() => cancelDead());
  });
  return () => {
    cancelPing();
    cancelDead();
  };
}
