// The probes of the pod's containers that the sidecar does in the kubelet's place: a page for each, on a port that anybody can reach.
//
// So nothing is told there but how it went, and whoever asks costs the app little: of each probe one is under way at a time, whose
// outcome all are told who ask meanwhile, or within a moment after. The kubelet asks once a second at most.
//
//   resting ── asked ──▶ asking ── an answer, or time is up ──▶ told ── a moment ──▶ as resting
import type { AppProbe } from '../../api/app-probe.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { LatePage, Page } from '../../kit/pages.ts';
import { type Ask, askWithin } from './ask.ts';
import { askContainer } from './container-probe.ts';
import { HealthLog } from './health-log.ts';

/** Shorter than any period of the kubelet's. */
const FRESH_MS = 500;

const WORDS = {
  healthy: 'a probe of a container succeeds',
  notYet: 'a probe of a container does not succeed yet',
  unhealthy: 'a probe of a container fails',
};
const WELL: Page = { status: 200 };
const UNWELL: Page = { status: 503 };

export class ContainerProbes {
  readonly pages: Readonly<Record<string, () => LatePage>>;
  readonly #pages: readonly ProbePage[];

  constructor(probes: readonly AppProbe[], clock: Clock, log: Log) {
    const pages = probes.map((probe) => new ProbePage(probe, askContainer(probe, clock), clock, log));
    this.#pages = pages;
    this.pages = Object.fromEntries(pages.map((page) => [page.path, () => page.told]));
  }

  /** Breaks off what is under way. */
  close(): void {
    for (const page of this.#pages) page.close();
  }
}

type Tell = Parameters<LatePage>[0];

type State =
  | { readonly kind: 'resting' }
  | { readonly kind: 'asking'; readonly waiting: Set<Tell>; readonly cancel: Cancel }
  | { readonly kind: 'told'; readonly page: Page; readonly freshUntilMs: number };

class ProbePage {
  readonly path: string;
  readonly #timeoutMs: number;
  readonly #ask: Ask;
  readonly #clock: Clock;
  /** The kubelet is told no reason, so that the log has it. */
  readonly #healthLog: HealthLog;
  #state: State = { kind: 'resting' };

  constructor({ page, timeoutMs }: AppProbe, ask: Ask, clock: Clock, log: Log) {
    this.path = page;
    this.#timeoutMs = timeoutMs;
    this.#ask = ask;
    this.#clock = clock;
    this.#healthLog = new HealthLog(log.with({ probe: page }), WORDS);
  }

  /** Who gives up waits no more; the probe itself goes on, and ends by its own time. */
  readonly told: LatePage = (tell) => {
    const state = this.#state;
    if (state.kind === 'told' && this.#clock.elapsed() < state.freshUntilMs) {
      tell(state.page);
      return () => undefined;
    }
    const waiting = state.kind === 'asking' ? state.waiting : this.#begin();
    waiting.add(tell);
    return () => waiting.delete(tell);
  };

  close(): void {
    if (this.#state.kind === 'asking') this.#state.cancel();
    this.#state = { kind: 'resting' };
  }

  #begin(): Set<Tell> {
    const waiting = new Set<Tell>();
    const cancel = askWithin(this.#timeoutMs, this.#ask, this.#clock, (problem) => this.#ended(problem, waiting));
    this.#state = { kind: 'asking', waiting, cancel };
    return waiting;
  }

  #ended(problem: string | undefined, waiting: ReadonlySet<Tell>): void {
    const page = problem === undefined ? WELL : UNWELL;
    this.#state = { kind: 'told', page, freshUntilMs: this.#clock.elapsed() + FRESH_MS };
    this.#healthLog.noted(problem);
    for (const tell of waiting) tell(page);
  }
}
