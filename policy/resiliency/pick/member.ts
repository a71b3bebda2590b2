// One instance of a target, as this sidecar knows it: how fast it answered, how many calls it has, whether it is left alone.
import { IN, type Standing } from '../eject.ts';

/** What is known of an instance from names and feed. */
export interface Instance {
  readonly host: string;
  readonly port: number;
  readonly zone?: string;
  readonly labels?: ReadonlyMap<string, string>;
  /** It ends: no new call should come, though it may still take some. */
  readonly isDraining?: boolean;
}

/** How fast the memory of a slow answer fades: to a third in that time. */
const DECAY_MS = 10_000;
/** What a failure costs at least: one that fails at once must not look like the fastest of all. */
const FAILURE_MS = 1000;

export class Member<I extends Instance = Instance> {
  /** Replaced when names or feed say something new of the same address. */
  instance: I;
  readonly bornMs: number;
  inFlight = 0;
  standing: Standing = IN;
  /** Failures in a row, and when the first of them was. */
  failures = 0;
  failingSinceMs = 0;
  /** In this period of the outlier detection. */
  calls = 0;
  successes = 0;
  #peakMs = 0;
  #sampledMs = 0;

  constructor(instance: I, nowMs: number) {
    this.instance = instance;
    this.bornMs = nowMs;
  }

  /** A slow answer counts at once and in full, a fast one bit by bit. */
  sample(latencyMs: number, isFailure: boolean, nowMs: number): void {
    const tookMs = isFailure ? Math.max(latencyMs, FAILURE_MS) : latencyMs;
    const fadedMs = this.#fadedMs(nowMs);
    if (tookMs >= fadedMs) this.#peakMs = tookMs;
    else {
      const kept = Math.exp((this.#sampledMs - nowMs) / DECAY_MS);
      this.#peakMs = this.#peakMs * kept + tookMs * (1 - kept);
    }
    this.#sampledMs = nowMs;
  }

  /** One that was given up took longer than that: it may be known to be slow already. */
  sampleAtLeast(waitedMs: number, nowMs: number): void {
    if (waitedMs > this.#fadedMs(nowMs)) this.sample(waitedMs, false, nowMs);
  }

  /** How long a call would take, guessed: the smaller the better. */
  load(nowMs: number): number {
    const fadedMs = this.#fadedMs(nowMs);
    // Of one that has not answered yet nothing is known but that it has a call already.
    if (fadedMs === 0) return this.inFlight === 0 ? 0 : UNKNOWN_MS * this.inFlight;
    return fadedMs * (this.inFlight + 1);
  }

  #fadedMs(nowMs: number): number {
    return this.#peakMs === 0 ? 0 : this.#peakMs * Math.exp((this.#sampledMs - nowMs) / DECAY_MS);
  }
}

/** More than any other is likely to have: one call at a time, until it answers. */
const UNKNOWN_MS = 60_000;

/** Whether it should be called while there is a choice. */
export function isWilling({ standing, instance }: Member): boolean {
  return standing.kind === 'in' && instance.isDraining !== true;
}

export function memberKey({ host, port }: Instance): string {
  return `${host}:${port}`;
}
