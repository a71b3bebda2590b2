// Keeps the objects of one kind in memory: a list, then watches that resume where the last one ended. Nothing ends it but
// stop(): whatever fails is tried again, later and later, and how long nothing was heard is there to read.
import { type BackoffOptions, backoffMs, type Random } from '../kit/backoff.ts';
import type { Cancel, Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Kube, KubeFailure, ListOptions, WatchEvent } from './kube.ts';
import type { Store } from './store.ts';
import { createTable, type Table } from './table.ts';
import type { Kind, KubernetesObject } from './types.ts';

export interface WatchKindOptions<T> extends ListOptions {
  /** Trims what is kept in memory. Pure; it may change the object it is given. */
  readonly select?: (object: T) => T;
}

export interface WatchKindDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** How long the server lets a watch live. */
const WATCH_SEC_MIN = 240;
const WATCH_SEC_SPREAD = 60;
/** A watch that is silent for longer than it should have lived is dead, though its connection may not know. */
const SILENCE_MARGIN_MS = 30_000;
/** Only a watch that lived this long shows that the trouble is over; one that opens and breaks again does not. */
const HEALTHY_MS = 10_000;
const BACKOFF: BackoffOptions = { baseMs: 500, maxMs: 30_000 };
/** A version that cannot be resumed so many times may be one that the server never reaches (a restored etcd). */
const RESUMES_MAX = 5;
const RELIST_MS = 30 * 60_000;

export function watchKind<T extends KubernetesObject>(
  kube: Pick<Kube, 'list' | 'watch'>,
  kind: Kind<T>,
  options: WatchKindOptions<T>,
  deps: WatchKindDeps,
): Store<T> {
  const log = deps.log.with({ watched: kind.plural });
  const { select = (object: T) => object, ...where } = options;
  const table = createTable(select, log);
  const keeper = new Keeper(kube, kind, where, { ...deps, log }, table);
  keeper.list();
  return {
    get: table.get,
    all: table.all,
    version: table.version,
    changed: table.changed,
    synced: keeper.synced.promise,
    staleMs: () => keeper.staleMs(),
    relist: () => keeper.relist(),
    stop: () => keeper.stop(),
  };
}

type Step = 'list' | 'watch';

type State =
  | { readonly phase: 'listing' }
  | { readonly phase: 'watching'; readonly sinceMs: number; readonly close: Cancel }
  | { readonly phase: 'waiting'; readonly next: Step; readonly cancel: Cancel }
  | { readonly phase: 'stopped' };

class Keeper<T extends KubernetesObject> {
  readonly synced = Promise.withResolvers<void>();
  readonly #kube: Pick<Kube, 'list' | 'watch'>;
  readonly #kind: Kind<T>;
  readonly #where: ListOptions;
  readonly #deps: WatchKindDeps;
  readonly #table: Table<T>;
  #state: State = { phase: 'stopped' };
  /** Where a watch resumes; empty: nowhere, only a list helps. */
  #resourceVersion = '';
  #heardMs: number;
  /** Lists and watches in a row that did not last. */
  #failures = 0;
  /** Those who wait for a list that begins from now on. */
  #waiters: (() => void)[] = [];
  #cancelRelist: Cancel = () => undefined;

  constructor(
    kube: Pick<Kube, 'list' | 'watch'>,
    kind: Kind<T>,
    where: ListOptions,
    deps: WatchKindDeps,
    table: Table<T>,
  ) {
    this.#kube = kube;
    this.#kind = kind;
    this.#where = where;
    this.#deps = deps;
    this.#table = table;
    this.#heardMs = deps.clock.elapsed();
  }

  staleMs(): number {
    return this.#deps.clock.elapsed() - this.#heardMs;
  }

  relist(): Promise<void> {
    const caughtUp = new Promise<void>((resolve) => this.#waiters.push(resolve));
    if (this.#state.phase === 'watching') {
      this.#state.close();
      this.#sawLife(this.#state.sinceMs);
      this.list();
    } else if (this.#state.phase === 'waiting') {
      this.#state = { ...this.#state, next: 'list' };
    }
    return caughtUp;
  }

  stop(): void {
    if (this.#state.phase === 'watching') this.#state.close();
    if (this.#state.phase === 'waiting') this.#state.cancel();
    this.#cancelRelist();
    this.#state = { phase: 'stopped' };
  }

  list(): void {
    const listing = { phase: 'listing' } as const;
    this.#state = listing;
    const served = this.#waiters.splice(0);
    void this.#kube.list(this.#kind, this.#where).then((listed) => {
      if (this.#state !== listing) return;
      if (!listed.ok) {
        this.#waiters.push(...served);
        this.#listFailed(listed.error);
        return;
      }
      this.#heard();
      this.#resourceVersion = listed.value.resourceVersion;
      this.#table.reset(listed.value.items, listed.value.resourceVersion);
      this.synced.resolve();
      for (const caughtUp of served) caughtUp();
      if (this.#state === listing) this.#goOn();
    });
  }

  #goOn(): void {
    if (this.#waiters.length > 0) {
      this.list();
      return;
    }
    this.#relistIn(RELIST_MS * (0.8 + 0.4 * this.#deps.random()));
    this.#watch();
  }

  /** A server that refuses lists under load may still serve a watch, so that goes on until the next try. */
  #listFailed(failure: KubeFailure): void {
    if (this.#resourceVersion === '') {
      this.#retry(failure, 'list');
      return;
    }
    this.#relistIn(this.#failed(failure, 'lists again later'));
    this.#watch();
  }

  #relistIn(waitMs: number): void {
    this.#cancelRelist();
    this.#cancelRelist = this.#deps.clock.after(waitMs, () => void this.relist());
  }

  #watch(): void {
    const { clock, random } = this.#deps;
    const timeoutSec = WATCH_SEC_MIN + Math.round(random() * WATCH_SEC_SPREAD);
    const startedMs = clock.elapsed();
    let isOpen = true;
    let isSilent = true;
    const leave = () => {
      isOpen = false;
      stopGuard();
    };
    const over = (failure: KubeFailure | undefined) => {
      if (!isOpen) return;
      leave();
      this.#ended(failure, startedMs, isSilent);
    };
    const stopGuard = this.#guard(timeoutSec * 1000 + SILENCE_MARGIN_MS, (silentMs) => {
      cut();
      over({ kind: 'unavailable', message: `the API server said nothing for ${Math.round(silentMs / 1000)} s` });
    });
    const event = (event: WatchEvent<T>) => {
      isSilent = false;
      if (isOpen) this.#event(event);
    };
    const request = { ...this.#where, resourceVersion: this.#resourceVersion, timeoutSec };
    const cut = this.#kube.watch(this.#kind, request, event, over);
    const close = () => {
      leave();
      cut();
    };
    if (isOpen) this.#state = { phase: 'watching', sinceMs: startedMs, close };
  }

  /** Calls `silent` once nothing was heard for so long since now. */
  #guard(silenceMs: number, silent: (silentMs: number) => void): Cancel {
    const { clock } = this.#deps;
    const startMs = clock.elapsed();
    let cancel: Cancel;
    const look = () => {
      const silentMs = clock.elapsed() - Math.max(startMs, this.#heardMs);
      if (silentMs >= silenceMs) silent(silentMs);
      else cancel = clock.after(silenceMs - silentMs, look);
    };
    cancel = clock.after(silenceMs, look);
    return () => cancel();
  }

  #event(event: WatchEvent<T>): void {
    this.#heard();
    if (event.kind === 'bookmark') {
      this.#resourceVersion = event.resourceVersion;
      this.#table.reached(event.resourceVersion);
      return;
    }
    // Before listeners hear of it: one of them may ask for another list, or an end.
    this.#resourceVersion = event.object.metadata?.resourceVersion ?? this.#resourceVersion;
    if (event.kind === 'deleted') this.#table.drop(event.object);
    else this.#table.put(event.object);
  }

  #ended(failure: KubeFailure | undefined, sinceMs: number, isSilent: boolean): void {
    const livedMs = this.#deps.clock.elapsed() - sinceMs;
    this.#sawLife(sinceMs);
    if (failure !== undefined) {
      const next = failure.kind === 'unavailable' && this.#failures < RESUMES_MAX ? 'watch' : 'list';
      if (next === 'list') this.#resourceVersion = '';
      this.#retry(failure, next);
      return;
    }
    this.#heard();
    // There is a bookmark every minute, unless the server has not come to our version: that of an etcd that was restored.
    if (isSilent && livedMs >= WATCH_SEC_MIN * 1000) this.list();
    else if (livedMs >= HEALTHY_MS) this.#watch();
    else this.#retry({ kind: 'unavailable', message: 'the API server ended the watch at once' }, 'watch');
  }

  /** A watch has been open since then. */
  #sawLife(sinceMs: number): void {
    if (this.#deps.clock.elapsed() - sinceMs >= HEALTHY_MS) this.#failures = 0;
  }

  #retry(failure: KubeFailure, next: Step): void {
    const waitMs = this.#failed(failure, next === 'list' ? 'lists again later' : 'resumes the watch later');
    const cancel = this.#deps.clock.after(waitMs, () => {
      if (this.#state.phase !== 'waiting') return;
      if (this.#state.next === 'list') this.list();
      else this.#watch();
    });
    this.#state = { phase: 'waiting', next, cancel };
  }

  /** How long to wait before the next try. */
  #failed(failure: KubeFailure, consequence: string): number {
    const { random, log } = this.#deps;
    this.#failures += 1;
    const waitMs = Math.round(backoffMs(this.#failures, BACKOFF, random));
    // A version that is too old is no trouble of anybody's.
    const say = failure.kind === 'expired' ? log.debug : log.warn;
    say(consequence, { waitMs, reason: failure.message });
    return waitMs;
  }

  #heard(): void {
    this.#heardMs = this.#deps.clock.elapsed();
  }
}
