// The authority as one of several replicas has it: what the shared state says, looked at again and again.
//
//   R1. A root is made only where neither the state nor published anchors are a trace of one. An empty state beside
//       published anchors is a lost authority: nothing is signed and nothing is made, until a person has restored it.
//   R2. All replicas sign by the stored state; the leader alone moves it on.
//   R3. What signs has been published: anchors are written before the first signature, and mended at each look.
//   R4. What is in force is not given up for a state that cannot be read or used: the log complains, and signing goes on.
//       Where the state was emptied meanwhile, the leader writes it back.
import type { TrustDomain } from '../../api/ids.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import type { Authority } from './authority.ts';
import { stageOf } from './lifetime.ts';
import type { PublishedAnchors } from './published.ts';
import { validityOf } from './signer.ts';
import { type AuthorityState, anchorsOf, isSameState, type StoredState } from './state.ts';
import { announce, complete, stepIssuer } from './steps.ts';
import type { Change, StateStore } from './store.ts';

export interface ReplicaOptions {
  readonly store: StateStore;
  readonly published: PublishedAnchors;
  readonly isLeader: () => boolean;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly log: Log;
}

export type ReplicaState =
  | { readonly kind: 'waiting'; readonly reason: string }
  /** `problem`: what the last look could not do, although signing goes on. */
  | { readonly kind: 'held'; readonly state: AuthorityState; readonly problem: string | undefined };

export interface Replica {
  readonly state: Snapshot<ReplicaState>;
  /** By the state that is held; undefined before there is one. */
  authority(): Authority | undefined;
  stop(): void;
}

/** An edit of the published anchors, and a new state, are noticed within this time. */
const LOOK_EVERY_MS = 10_000;
const LOOK_EVERY_WAITING_MS = 2_000;

/** Looks at once and goes on until stopped. Never throws or rejects. */
export function startReplica(options: ReplicaOptions): Replica {
  const { clock, log, trustDomain } = options;
  const state = snapshot<ReplicaState>({ kind: 'waiting', reason: 'the authority was not loaded yet' });
  let isStopped = false;
  let cancel: Cancel = () => undefined;
  async function lookAgain(): Promise<void> {
    const before = state.current();
    const held = before.kind === 'held' ? before.state : undefined;
    const looked = await look(options, held).catch((error) => err(`a look met a bug: ${messageOf(error)}`));
    if (isStopped) return;
    const next = nextState(held, looked);
    tellChange(log, before, next);
    cancel = clock.after(next.kind === 'held' ? LOOK_EVERY_MS : LOOK_EVERY_WAITING_MS, () => void lookAgain());
    state.set(next);
  }
  void lookAgain();
  return {
    state,
    authority: () => (state.current().kind === 'held' ? authorityOf(state, trustDomain) : undefined),
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

function nextState(held: AuthorityState | undefined, looked: Result<AuthorityState>): ReplicaState {
  if (looked.ok) return { kind: 'held', state: looked.value, problem: undefined };
  if (held) return { kind: 'held', state: held, problem: looked.error };
  return { kind: 'waiting', reason: looked.error };
}

function tellChange(log: Log, before: ReplicaState, next: ReplicaState): void {
  const [was, is] = [complaintOf(before), complaintOf(next)];
  if (is === was) return;
  if (is !== undefined) {
    const message = next.kind === 'held' ? 'the authority is in trouble, and still signs' : 'nothing can be signed';
    log.error(message, { reason: is });
  } else if (next.kind === 'held') {
    tellHeld(log, next.state);
  }
}

function tellHeld(log: Log, { root, issuer }: AuthorityState): void {
  log.info('the authority is loaded and its anchors are published', {
    fingerprint: root.active.certificate.fingerprint256,
    issuerNotAfter: issuer.active.certificate.validToDate.toISOString(),
  });
}

function complaintOf(state: ReplicaState): string | undefined {
  return state.kind === 'held' ? state.problem : state.reason;
}

/** Published anchors are read first: they come after the state, so that finding them beside none is no race. */
async function look(options: ReplicaOptions, held: AuthorityState | undefined): Promise<Result<AuthorityState>> {
  const { store, published } = options;
  const anchors = await published.read();
  if (!anchors.ok) return anchors;
  const stored = await store.read();
  if (!stored.ok) return stored;
  const state = await settle(options, stored.value, held, anchors.value);
  if (!state.ok) return state;
  const anchorsPem = anchorsOf(state.value);
  if (anchors.value === anchorsPem) return state;
  const written = await published.write(anchorsPem);
  if (!written.ok) return written;
  options.log.info('the trust anchors were published', {
    as: published.name,
    before: anchors.value ? 'others' : 'none',
  });
  return state;
}

/** What this replica has to do about the stored state, and the state thereafter. */
async function settle(
  options: ReplicaOptions,
  stored: StoredState | undefined,
  held: AuthorityState | undefined,
  anchorsPem: string | undefined,
): Promise<Result<AuthorityState>> {
  const { store, published, isLeader, trustDomain, clock } = options;
  const now = clock.now();
  const make = (state: StoredState | undefined) => complete(state, store.place, trustDomain, now);
  if (!stored && held) return isLeader() ? writeBack(options, held) : ok(held);
  if (!stored && anchorsPem !== undefined) return err(lost(store, published));
  if (!stored?.issuer) return move(options, make);
  const known = await make(stored);
  if (!known.ok) return known;
  if (isLeader() && (await stepIssuer(known.value, trustDomain, now)) !== known.value) {
    return move(options, async (state) => {
      const completed = await make(state);
      return completed.ok ? ok(await stepIssuer(completed.value, trustDomain, now)) : completed;
    });
  }
  const stage = stageOf(validityOf(known.value.issuer.active), now);
  if (stage === 'expired' && !held) return err(expired(store, known.value, now));
  return ok(held && isSameState(held, known.value) ? held : known.value);
}

async function move({ store, log, clock }: ReplicaOptions, change: Change): Promise<Result<AuthorityState>> {
  const updated = await store.update(change);
  if (!updated.ok) return updated;
  announce(log, updated.value, clock.now());
  return ok(updated.value.after);
}

async function writeBack({ store, log }: ReplicaOptions, held: AuthorityState): Promise<Result<AuthorityState>> {
  const updated = await store.update(async (state) =>
    state?.issuer ? ok({ ...state, issuer: state.issuer }) : ok(held),
  );
  if (!updated.ok) return updated;
  if (updated.value.after === held) {
    log.warn('the stored authority was gone and was written back from memory; find out who emptied it', {
      store: store.place.whole,
    });
  }
  return ok(updated.value.after);
}

function authorityOf(state: Snapshot<ReplicaState>, trustDomain: TrustDomain): Authority {
  const held = (): AuthorityState => {
    const current = state.current();
    if (current.kind === 'held') return current.state;
    throw new Error('an authority that was held is never given up');
  };
  return {
    trustDomain,
    get root() {
      return held().root.active.certificate;
    },
    get anchorsPem() {
      return anchorsOf(held());
    },
    async issuer(now) {
      const { active } = held().issuer;
      const { notBefore, notAfter } = validityOf(active);
      if (notBefore <= now && now < notAfter) return ok(active);
      const [from, to, at] = [notBefore, notAfter, now].map((ms) => new Date(ms).toISOString());
      return err(`the issuer is good from ${from} to ${to}, and the clock here says ${at}`);
    },
  };
}

function expired({ place }: StateStore, { issuer }: AuthorityState, now: number): string {
  const notAfter = issuer.active.certificate.validToDate.toISOString();
  return (
    `${place.entry('issuer.crt')} expired at ${notAfter}, and the clock here says ${new Date(now).toISOString()}; ` +
    'the replica that holds the Lease makes the next one'
  );
}

function lost({ place }: StateStore, { name }: PublishedAnchors): string {
  return (
    `${place.whole} is empty, but ${name} holds trust anchors: the authority that workloads trust is lost. Restore ` +
    `${place.whole} from a backup; to begin with a new root, which no running workload trusts, ${place.startOver}`
  );
}
