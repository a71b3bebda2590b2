// A queue of keys to work on: each key waits once however often it is added, is worked on by one handler at a time, and
// comes back after longer and longer waits while its work fails.
import { type BackoffOptions, backoffMs, type Random } from '../kit/backoff.ts';
import type { Cancel, Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import type { Log } from '../kit/log.ts';
import type { KubeFailure } from './kube.ts';

/** `retryAfterMs`: it went well, and is to be looked at again then. */
export type Handled = 'done' | { readonly retryAfterMs: number } | KubeFailure;

export interface WorkQueueOptions {
  /** For the log. */
  readonly name: string;
  readonly concurrency: number;
  readonly handle: (key: string) => Promise<Handled>;
  readonly backoff?: BackoffOptions;
}

export interface WorkQueue {
  /** Works on it as soon as there is room; once more where it is being worked on; at once where it waits after a failure. */
  add(key: string): void;
  /** Settles when nothing is queued or under way; what waits for its time does not count. */
  idle(): Promise<void>;
  /** Begins nothing any more; settles when what is under way has ended. */
  stop(): Promise<void>;
}

export interface WorkQueueDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const BACKOFF: BackoffOptions = { baseMs: 200, maxMs: 60_000 };

type Work =
  | { readonly phase: 'queued' }
  | { readonly phase: 'running'; readonly isDirty: boolean }
  | { readonly phase: 'waiting'; readonly cancel: Cancel };

export function workQueue(options: WorkQueueOptions, deps: WorkQueueDeps): WorkQueue {
  return new KeyedQueue(options, deps);
}

class KeyedQueue implements WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #deps: WorkQueueDeps;
  readonly #works = new Map<string, Work>();
  /** The queued ones, in order. */
  readonly #ready = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #idlers: (() => void)[] = [];
  #running = 0;
  #isStopped = false;

  constructor(options: WorkQueueOptions, deps: WorkQueueDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  add(key: string): void {
    if (this.#isStopped) return;
    const work = this.#works.get(key);
    if (work?.phase === 'running') {
      this.#works.set(key, { phase: 'running', isDirty: true });
      return;
    }
    if (work?.phase === 'waiting') work.cancel();
    this.#works.set(key, { phase: 'queued' });
    this.#ready.add(key);
    this.#pump();
  }

  idle(): Promise<void> {
    const idle = new Promise<void>((resolve) => this.#idlers.push(resolve));
    this.#settleIdle();
    return idle;
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#ready.clear();
    for (const work of this.#works.values()) if (work.phase === 'waiting') work.cancel();
    return this.idle();
  }

  #pump(): void {
    for (const key of this.#ready) {
      if (this.#running >= this.#options.concurrency) return;
      this.#ready.delete(key);
      this.#running += 1;
      this.#works.set(key, { phase: 'running', isDirty: false });
      void this.#run(key).then((handled) => this.#ended(key, handled));
    }
  }

  async #run(key: string): Promise<Handled> {
    try {
      return await this.#options.handle(key);
    } catch (error) {
      return { kind: 'failed', message: `a bug: ${messageOf(error)}` };
    }
  }

  #ended(key: string, handled: Handled): void {
    const work = this.#works.get(key);
    this.#works.delete(key);
    this.#running -= 1;
    const waitMs = this.#waitMs(key, handled);
    if (work?.phase === 'running' && work.isDirty) this.add(key);
    else if (waitMs !== undefined && !this.#isStopped) this.#wait(key, waitMs);
    this.#pump();
    this.#settleIdle();
  }

  #waitMs(key: string, handled: Handled): number | undefined {
    if (handled === 'done' || 'retryAfterMs' in handled) {
      this.#failures.delete(key);
      return handled === 'done' ? undefined : handled.retryAfterMs;
    }
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const waitMs = backoffMs(failures, this.#options.backoff ?? BACKOFF, this.#deps.random);
    const { name } = this.#options;
    this.#deps.log.warn(`${name} failed and is tried again`, { key, failures, error: handled.message });
    return waitMs;
  }

  #wait(key: string, waitMs: number): void {
    const cancel = this.#deps.clock.after(waitMs, () => this.add(key));
    this.#works.set(key, { phase: 'waiting', cancel });
  }

  #settleIdle(): void {
    if (this.#running > 0 || this.#ready.size > 0) return;
    for (const settle of this.#idlers.splice(0)) settle();
  }
}
