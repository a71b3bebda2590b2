// The signals that ask `invokectl run` to stop: each is for the app, and counts once.
import type { Host, StopSignal } from './host.ts';

export type PassedOn = StopSignal | 'SIGKILL';

export interface Stops {
  /** As if the signal had come. */
  add(signal: StopSignal): void;
  /** Settles with the first of them. */
  readonly first: Promise<StopSignal>;
  /** Hands over each signal once, those that came before included. */
  passOnTo(listener: (signal: PassedOn) => void): void;
}

/** Ctrl-C under `npm run` arrives twice, from the terminal and from npm; nobody's second thought is as fast as that. */
const SAME_CTRL_C_MS = 500;

/** The signals that ask this program to stop, each taken once; a second SIGINT is a SIGKILL. */
export function collectStops({ clock, onSignal }: Pick<Host, 'clock' | 'onSignal'>): Stops {
  const taken = new Map<StopSignal, number>();
  let pass: ((signal: PassedOn) => void) | undefined;
  let isFirst: (signal: StopSignal) => void = () => undefined;
  const first = new Promise<StopSignal>((resolve) => {
    isFirst = resolve;
  });

  function add(signal: StopSignal): void {
    const takenAtMs = taken.get(signal);
    if (takenAtMs === undefined) {
      taken.set(signal, clock.elapsed());
      isFirst(signal);
      pass?.(signal);
    } else if (signal === 'SIGINT' && clock.elapsed() - takenAtMs > SAME_CTRL_C_MS) {
      pass?.('SIGKILL');
    }
  }

  onSignal(add);
  return {
    add,
    first,
    passOnTo(listener) {
      pass = listener;
      for (const signal of taken.keys()) listener(signal);
    },
  };
}
