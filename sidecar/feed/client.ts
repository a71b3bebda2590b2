// Keeps what the operator tells up to date, for as long as the sidecar lives.
//
//   F1. The last good config holds until a newer one comes, whatever happens to the operator.
//   F2. A config that is older than it, or that cannot be read whole, is refused, and another replica is asked.
//   F3. Endpoints hold while the stream lives, and 30 s longer: then DNS alone says.
//   F4. One phase at a time, and it owns what is under way: one connection or one timer, never both.
import type { Target } from '../../api/ids.ts';
import { decodeFeedMessage, encodeFeedMessage, type FeedHello, type FeedMessage } from '../../api/proto/feed.ts';
import type { Credentials } from '../../identity/svid.ts';
import { fullJitterMs } from '../../kit/backoff.ts';
import { type Cancel, every } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Result } from '../../kit/result.ts';
import { snapshot } from '../../kit/snapshot.ts';
import type { AccessCall } from '../../policy/access/call.ts';
import type { Ground } from '../../policy/access/verdict.ts';
import { UntoldAudits } from './audits.ts';
import { FeedConnection } from './connection.ts';
import type { AppEndpoints, FeedClient, FeedConfig, FeedOptions, FeedState } from './feed.ts';
import { type KeptSnapshot, keepSnapshot } from './kept.ts';
import { KnownEndpoints } from './known.ts';
import { olderThan, readConfig } from './read-config.ts';

/** Goes on until stopped. Never throws: what fails shows in `state()` and in the log. */
export function startFeed(options: FeedOptions): FeedClient {
  return new Client(options);
}

type Phase =
  /** There are no credentials yet. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'connected'; readonly connection: FeedConnection; liveMs: number | undefined }
  | { readonly kind: 'pausing'; readonly cancel: Cancel }
  | { readonly kind: 'stopped' };

const RETRY = { baseMs: 200, maxMs: 10_000 } as const;
/** A stream that lived for so long was a good one: the next try does not have to wait for the failures before it. */
const STEADY_MS = 10_000;
const FORGET_MS = 30_000;
const UNUSED_MS = 10 * 60_000;
const LOOK_FOR_UNUSED_MS = 60_000;
/** Calls to many new apps become one message. */
const GATHER_MS = 20;
/** From the first call that audit mode would deny until the operator is told of it and of all that followed. */
const REPORT_MS = 10_000;

class Client implements FeedClient {
  readonly config = snapshot<FeedConfig | undefined>(undefined);
  readonly #options: FeedOptions;
  readonly #log: Log;
  readonly #kept: KeptSnapshot | undefined;
  readonly #known = new KnownEndpoints();
  readonly #listeners = new Set<(target: Target) => void>();
  readonly #cancels: readonly Cancel[];
  #phase: Phase = { kind: 'idle' };
  /** Tries in a row that came to nothing, or to little. */
  #failures = 0;
  #lastError: string | undefined = 'this sidecar has no certificate yet';
  /** Monotonic: since when nobody tells us anything. */
  #silentSinceMs: number;
  #cancelForget: Cancel | undefined;
  #cancelGather: Cancel | undefined;
  readonly #audits = new UntoldAudits();
  #cancelReport: Cancel | undefined;
  #isFull = false;

  constructor(options: FeedOptions) {
    const { clock, credentials, snapshotFile, self } = options;
    this.#options = options;
    this.#log = options.log.with({ operator: `${options.address.host}:${options.address.port}` });
    this.#silentSinceMs = clock.elapsed();
    this.#kept = snapshotFile === undefined ? undefined : keepSnapshot(snapshotFile, self, this.#log);
    this.#loadKept();
    this.#cancels = [
      credentials.changed(() => this.#connectAnew()),
      every(clock, LOOK_FOR_UNUSED_MS, () => this.#dropUnused()),
    ];
    this.#connectAnew();
  }

  endpoints(target: Target): AppEndpoints | undefined {
    return this.#known.get(target);
  }

  watch(target: Target): boolean {
    const { clock } = this.#options;
    const outcome = this.#known.watch(target, clock.elapsed());
    if (outcome === 'full' && !this.#isFull)
      this.#log.warn('calls go to so many apps that DNS alone finds some of them');
    this.#isFull = outcome === 'full';
    if (outcome === 'new') this.#cancelGather ??= clock.after(GATHER_MS, () => this.#sendInterest());
    return outcome !== 'full';
  }

  changed(listener: (target: Target) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  audited(by: Ground, call: AccessCall): void {
    const { clock } = this.#options;
    this.#audits.note(by, call, this.config.current(), clock.elapsed());
    if (!this.#audits.isEmpty) this.#reportLater();
  }

  state(): FeedState {
    if (this.#phase.kind === 'connected' && this.#phase.liveMs !== undefined) return { kind: 'live' };
    return {
      kind: this.config.current() === undefined ? 'waiting' : 'stale',
      lastError: this.#lastError,
      sinceMs: this.#options.clock.elapsed() - this.#silentSinceMs,
    };
  }

  stop(): void {
    this.#leave({ kind: 'stopped' });
    for (const cancel of this.#cancels) cancel();
    this.#cancelForget?.();
    this.#cancelGather?.();
    this.#cancelReport?.();
    this.#listeners.clear();
  }

  #loadKept(): void {
    const bytes = this.#kept?.load();
    if (bytes === undefined) return;
    const config = readKeptConfig(bytes);
    if (config === undefined) {
      this.#log.warn('the kept snapshot is not used: this version cannot read it');
      return;
    }
    this.config.set(config);
    this.#log.info('the snapshot of before the restart holds until the operator says more');
  }

  #connectAnew(): void {
    if (this.#phase.kind === 'stopped') return;
    const credentials = this.#options.credentials.current();
    if (credentials === undefined) this.#leave({ kind: 'idle' });
    else this.#leave({ kind: 'connected', connection: this.#connect(credentials), liveMs: undefined });
  }

  #connect(credentials: Credentials): FeedConnection {
    const { address, operator, clock, random } = this.#options;
    return new FeedConnection({
      ...{ address, operator, credentials, clock, random },
      greeting: () => ({ hello: this.#hello(), interest: this.#known.apps() }),
      message: (message) => this.#receive(message),
      retire: () => this.#connectAnew(),
      ended: (reason) => this.#pause(reason),
    });
  }

  #hello(): FeedHello {
    const held = this.config.current();
    return {
      epoch: held?.epoch ?? 0,
      versions: [...(held?.versions ?? [])].map(([kind, version]) => ({ kind, version })),
      sidecarVersion: this.#options.sidecarVersion,
    };
  }

  #receive(message: FeedMessage): void {
    const { epoch, part } = message;
    if (part?.kind === 'config') this.#receiveConfig(message, readConfig(epoch, part.config));
    // Before a config of its own, a replica may be behind.
    if (part?.kind !== 'endpoints' || this.state().kind !== 'live') return;
    const target = this.#known.take(part.endpoints);
    if (target !== undefined) this.#tell([target]);
  }

  #receiveConfig(message: FeedMessage, read: Result<FeedConfig>): void {
    const held = this.config.current();
    const problem = read.ok ? held && olderThan(held, read.value) : read.error;
    if (!read.ok || problem !== undefined) {
      this.#pause(`a config of the operator is refused, and the last one holds: ${problem}`);
      return;
    }
    this.#kept?.save(encodeFeedMessage(message));
    this.#goLive();
    this.#audits.keepOnly(read.value);
    // Last: a listener may stop us.
    this.config.set(read.value);
  }

  #goLive(): void {
    if (this.#phase.kind !== 'connected' || this.#phase.liveMs !== undefined) return;
    this.#phase.liveMs = this.#options.clock.elapsed();
    this.#lastError = undefined;
    this.#cancelForget?.();
    this.#cancelForget = undefined;
    this.#log.debug('the operator tells what concerns this app');
  }

  /** After a connection that came to its end, or had to. */
  #pause(reason: string): void {
    const { clock, random } = this.#options;
    const wasSteady =
      this.#phase.kind === 'connected' && clock.elapsed() - (this.#phase.liveMs ?? Number.NaN) >= STEADY_MS;
    this.#failures = wasSteady ? 1 : this.#failures + 1;
    const waitMs = fullJitterMs(this.#failures, RETRY, random);
    this.#lastError = reason;
    this.#log.warn(reason, { attempt: this.#failures, retryInMs: Math.round(waitMs) });
    this.#leave({ kind: 'pausing', cancel: clock.after(waitMs, () => this.#connectAnew()) });
  }

  /** Ends what the phase owns, and notes when we were last told anything. */
  #leave(next: Phase): void {
    const phase = this.#phase;
    this.#phase = next;
    if (phase.kind === 'pausing') phase.cancel();
    if (phase.kind !== 'connected') return;
    phase.connection.close();
    if (phase.liveMs === undefined) return;
    const { clock } = this.#options;
    this.#silentSinceMs = clock.elapsed();
    this.#cancelForget = clock.after(FORGET_MS, () => this.#tell(this.#known.forget()));
  }

  #dropUnused(): void {
    const dropped = this.#known.dropUnusedSince(this.#options.clock.elapsed() - UNUSED_MS);
    if (dropped.length === 0) return;
    this.#sendInterest();
    this.#tell(dropped);
  }

  #sendInterest(): void {
    this.#cancelGather?.();
    this.#cancelGather = undefined;
    if (this.#phase.kind === 'connected') this.#phase.connection.send({ interest: this.#known.apps() });
  }

  #reportLater(): void {
    this.#cancelReport ??= this.#options.clock.after(REPORT_MS, () => {
      this.#cancelReport = undefined;
      this.#report();
    });
  }

  /** Where nobody hears it, it waits. */
  #report(): void {
    if (this.#audits.isEmpty) return;
    if (this.#phase.kind !== 'connected' || this.#phase.liveMs === undefined) this.#reportLater();
    else this.#phase.connection.send({ audits: this.#audits.take(this.#options.clock.elapsed()) });
  }

  #tell(targets: readonly Target[]): void {
    for (const target of targets) for (const listener of [...this.#listeners]) listener(target);
  }
}

function readKeptConfig(bytes: Buffer): FeedConfig | undefined {
  const message = decodeFeedMessage(bytes);
  if (!message.ok || message.value.part?.kind !== 'config') return undefined;
  const config = readConfig(message.value.epoch, message.value.part.config);
  return config.ok ? config.value : undefined;
}
