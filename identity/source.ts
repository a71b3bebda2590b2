// Keeps a workload's certificate in force: asks for it, renews it at half of its life, and tries again when that fails.
//
//   I1. What is in the snapshot was verified; a failed renewal never takes it away.
//   I2. Every certificate has a key of its own.
//   I3. One phase at a time, and it owns what is under way: one request or one timer, never both.
import { type AppId, type Identity, type Namespace, spiffeId, type TrustDomain } from '../api/ids.ts';
import { backoffMs, type Random } from '../kit/backoff.ts';
import type { Cancel, Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Result } from '../kit/result.ts';
import { type Snapshot, snapshot } from '../kit/snapshot.ts';
import {
  type RequestCertificate,
  requestCertificate,
  type SentryEndpoint,
  type SentryFailure,
} from './sentry-client.ts';
import type { Credentials } from './svid.ts';

export interface IdentityOptions {
  readonly endpoint: SentryEndpoint;
  readonly appId: AppId;
  readonly namespace: Namespace;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** For tests; a real sentry is asked by default. */
  readonly request?: RequestCertificate;
}

export type IdentityState =
  /** No certificate in force: none yet, or the one held has expired, which `lastError` then says. */
  | { readonly kind: 'waiting'; readonly lastError?: string; readonly lastFailure?: SentryFailure['kind'] }
  /** `notAfter` is epoch milliseconds. */
  | { readonly kind: 'ready'; readonly notAfter: number };

export interface IdentitySource {
  /** Expired credentials stay here: who they are is still true, and peers will say why they are refused. */
  readonly credentials: Snapshot<Credentials | undefined>;
  state(): IdentityState;
  /** Calls `listener` once there are credentials: at once if there are, else later, once. */
  firstReady(listener: () => void): Cancel;
  /** Ends requests and timers; the credentials stay. Idempotent. */
  stop(): void;
}

type Phase =
  | { readonly kind: 'asking'; readonly cancel: Cancel }
  | { readonly kind: 'pausing'; readonly cancel: Cancel }
  | { readonly kind: 'resting'; readonly cancel: Cancel }
  | { readonly kind: 'stopped' };

const RETRY = { baseMs: 200, maxMs: 10_000 } as const;
/** Half of the life, give or take: a fleet that started together does not renew together. */
const RENEW_AT = 0.5;
const RENEW_JITTER = 0.1;
/** Timers stand still while a laptop sleeps and certificates age, so the wall clock is looked at this often. */
const WALL_CHECK_MS = 60_000;

/** Of a workload: asks the sentry. */
export function startIdentity(options: IdentityOptions): IdentitySource {
  const { endpoint, appId, namespace, trustDomain, clock, random, log, request = requestCertificate } = options;
  const identity: Identity = { trustDomain, namespace, app: appId };
  return keepInForce({ identity, clock, random, log, ask: (done) => request(endpoint, identity, { clock }, done) });
}

export interface KeepOptions {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Gets a new certificate over a new key. Calls back once, later, unless cancelled. */
  readonly ask: (done: (outcome: Result<Credentials, SentryFailure>) => void) => Cancel;
}

/** Asks at once and goes on until stopped. Never throws or rejects: what fails shows in `state()` and in the log. */
export function keepInForce(options: KeepOptions): IdentitySource {
  const { clock, random } = options;
  const log = options.log.with({ identity: spiffeId(options.identity) });
  const credentials = snapshot<Credentials | undefined>(undefined);
  let lastFailure: SentryFailure | undefined;
  let phase: Phase = ask(1);

  function ask(attempt: number): Phase {
    const cancel = options.ask((outcome) => {
      phase = outcome.ok ? accept(outcome.value) : retry(outcome.error, attempt);
    });
    return { kind: 'asking', cancel };
  }

  function accept(received: Credentials): Phase {
    const lifeMs = received.svid.notAfter - clock.now();
    const renewAt = clock.now() + lifeMs * (RENEW_AT + RENEW_JITTER * RENEW_AT * (2 * random() - 1));
    log.info('certificate received', { notAfter: new Date(received.svid.notAfter).toISOString() });
    lastFailure = undefined;
    phase = rest(renewAt);
    // Last, because a listener may stop this source: the phase is then no longer the one above.
    credentials.set(received);
    return phase;
  }

  function retry(failure: SentryFailure, attempt: number): Phase {
    const waitMs = backoffMs(attempt, RETRY, random);
    lastFailure = failure;
    const what = credentials.current() ? 'certificate not renewed' : 'no certificate yet';
    log.warn(`${what}: ${failure.message}`, { attempt, retryInMs: Math.round(waitMs) });
    const cancel = clock.after(waitMs, () => {
      phase = ask(attempt + 1);
    });
    return { kind: 'pausing', cancel };
  }

  function rest(renewAt: number): Phase {
    const leftMs = Math.max(renewAt - clock.now(), 0);
    const cancel = clock.after(Math.min(leftMs, WALL_CHECK_MS), () => {
      phase = clock.now() >= renewAt ? ask(1) : rest(renewAt);
    });
    return { kind: 'resting', cancel };
  }

  return {
    credentials,
    state: () => describe(credentials.current(), lastFailure, clock.now()),
    firstReady: (listener) => onFirst(credentials, listener),
    stop() {
      if (phase.kind !== 'stopped') phase.cancel();
      phase = { kind: 'stopped' };
    },
  };
}

function describe(held: Credentials | undefined, last: SentryFailure | undefined, now: number): IdentityState {
  if (held && now < held.svid.notAfter) return { kind: 'ready', notAfter: held.svid.notAfter };
  const expired = held && `the certificate expired at ${new Date(held.svid.notAfter).toISOString()}`;
  if (last === undefined) return expired === undefined ? { kind: 'waiting' } : { kind: 'waiting', lastError: expired };
  const lastError = expired === undefined ? last.message : `${expired}, and ${last.message}`;
  return { kind: 'waiting', lastError, lastFailure: last.kind };
}

function onFirst(credentials: Snapshot<Credentials | undefined>, listener: () => void): Cancel {
  if (credentials.current()) {
    listener();
    return () => undefined;
  }
  const cancel = credentials.changed(() => {
    cancel();
    listener();
  });
  return cancel;
}
