// Whether the app is healthy: it is asked again and again, and who gives it calls goes by what it says.
//
//   unhealthy ── one good answer ──▶ healthy ── as many bad answers in a row as the threshold ──▶ unhealthy
//
// At first it counts as unhealthy: nobody has asked it yet. Until it has been healthy once it is asked more often, so that an app that
// takes a moment to start is not called a whole interval later.
import type { AppHealthConfig } from '../../api/app-health.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import { type Ask, askWithin } from './ask.ts';

export type AppHealthState = { readonly kind: 'healthy' } | { readonly kind: 'unhealthy'; readonly why: string };

const STARTING_INTERVAL_MS_MAX = 1000;
const HEALTHY: AppHealthState = { kind: 'healthy' };

export class AppHealth {
  readonly #config: AppHealthConfig;
  readonly #ask: Ask;
  readonly #clock: Clock;
  readonly #asked: (problem: string | undefined) => void;
  readonly #state = snapshot<AppHealthState>({ kind: 'unhealthy', why: 'it was not asked yet' });
  #failures = 0;
  #wasHealthy = false;
  #cancel: Cancel | undefined;

  /** `asked` hears how each question was answered. */
  constructor(config: AppHealthConfig, ask: Ask, clock: Clock, asked: (problem: string | undefined) => void) {
    this.#config = config;
    this.#ask = ask;
    this.#clock = clock;
    this.#asked = asked;
  }

  get state(): Snapshot<AppHealthState> {
    return this.#state;
  }

  /** Asks at once, and then again and again. */
  start(): void {
    if (this.#cancel === undefined) this.#question();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #question(): void {
    const startedMs = this.#clock.elapsed();
    this.#cancel = askWithin(this.#config.timeoutMs, this.#ask, this.#clock, (problem) =>
      this.#answered(problem, startedMs),
    );
  }

  #answered(problem: string | undefined, startedMs: number): void {
    this.#asked(problem);
    if (problem === undefined) this.#wasHealthy = true;
    const { intervalMs } = this.#config;
    const periodMs = this.#wasHealthy ? intervalMs : Math.min(intervalMs, STARTING_INTERVAL_MS_MAX);
    const waitMs = Math.max(0, periodMs - (this.#clock.elapsed() - startedMs));
    this.#cancel = this.#clock.after(waitMs, () => this.#question());
    this.#judge(problem);
  }

  #judge(problem: string | undefined): void {
    const wasUnhealthy = this.#state.current().kind === 'unhealthy';
    if (problem === undefined) {
      this.#failures = 0;
      if (wasUnhealthy) this.#state.set(HEALTHY);
      return;
    }
    this.#failures += 1;
    if (wasUnhealthy || this.#failures >= this.#config.threshold) this.#state.set({ kind: 'unhealthy', why: problem });
  }
}
