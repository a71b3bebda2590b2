// Events: what people see under `kubectl describe`. They are a courtesy: at most one of a kind in a while, never too many
// in all, and nobody waits for them.
import { randomBytes } from 'node:crypto';
import { V1MicroTime } from '@kubernetes/client-node';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Kube } from './kube.ts';
import { apiVersion, EVENTS, type Kind, type KubernetesObject, keyOf } from './types.ts';

export interface EventRecord<T extends KubernetesObject> {
  /** The kind and the object that it is about. */
  readonly kind: Kind<T>;
  readonly regarding: T;
  readonly type: 'Normal' | 'Warning';
  /** Why, in one word for programs: `ServiceNameTaken`. */
  readonly reason: string;
  /** What was done or tried, in one word: `CreateService`. */
  readonly action: string;
  /** For people; cut after 1024 bytes. */
  readonly note: string;
}

export interface EventRecorder {
  record<T extends KubernetesObject>(event: EventRecord<T>): void;
  /** Takes no more; settles when those under way are written. */
  stop(): Promise<void>;
}

export interface EventRecorderOptions {
  /** Such as `invoke.io/operator`. */
  readonly controller: string;
  /** This replica: its pod's name. */
  readonly instance: string;
}

const REPEAT_MS = 10 * 60_000;
/** So many at once, and then one each period. */
const BURST = 50;
const PERIOD_MS = 1000;
/** No more are remembered; the oldest is forgotten first. */
const REMEMBERED_MAX = 10_000;
const NOTE_BYTES_MAX = 1024;
const NAME_LENGTH_MAX = 253;
/** Where the events of cluster-scoped objects are. */
const CLUSTER_NAMESPACE = 'default';

export function eventRecorder(
  kube: Pick<Kube, 'create'>,
  options: EventRecorderOptions,
  deps: { readonly clock: Clock; readonly log: Log },
): EventRecorder {
  const { clock, log } = deps;
  const written = memory(clock);
  const isAllowed = bucket(clock);
  const writes = new Set<Promise<void>>();
  let isStopped = false;

  const write = async (event: EventRecord<KubernetesObject>) => {
    const answer = await kube.create(EVENTS, eventOf(event, options, clock.now()));
    if (!answer.ok) log.warn('an Event was not written', { reason: answer.error.message, note: event.note });
  };
  return {
    record({ kind, ...event }) {
      const about = `${kind.plural} ${keyOf(event.regarding)}`;
      const { type, reason, note } = event;
      const key = JSON.stringify([about, event.regarding.metadata?.uid, type, reason, note]);
      if (isStopped || written.has(key)) return;
      if (!isAllowed()) {
        log.warn('an Event is left out because there are too many', { about, reason, note });
        return;
      }
      written.add(key);
      const writing = write({ ...event, kind }).finally(() => writes.delete(writing));
      writes.add(writing);
    },
    async stop() {
      isStopped = true;
      await Promise.all(writes);
    },
  };
}

function eventOf(
  { kind, regarding, type, reason, action, note }: EventRecord<KubernetesObject>,
  { controller, instance }: EventRecorderOptions,
  nowMs: number,
): NonNullable<(typeof EVENTS)['object']> {
  const { name = '', namespace, uid, resourceVersion } = regarding.metadata ?? {};
  const reference = { apiVersion: apiVersion(kind), kind: kind.kind, name };
  return {
    metadata: {
      name: nameOf(name, `${nowMs.toString(16)}${randomBytes(4).toString('hex')}`),
      namespace: namespace ?? CLUSTER_NAMESPACE,
    },
    eventTime: new V1MicroTime(nowMs),
    regarding: {
      ...reference,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    ...{ type, reason, action, note: cutBytes(note, NOTE_BYTES_MAX) },
    ...{ reportingController: controller, reportingInstance: instance },
  };
}

/** A name that is valid whatever the object is called, and is nobody else's. */
function nameOf(object: string, unique: string): string {
  const stem = object.slice(0, NAME_LENGTH_MAX - unique.length - 1).replace(/[^a-z0-9.-]/g, '-');
  return `${stem.replace(/[.-]+$/, '')}.${unique}`;
}

function cutBytes(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  // A character that was cut in two is read as the sign for what cannot be read.
  return Buffer.from(text)
    .subarray(0, bytesMax)
    .toString()
    .replace(/\uFFFD+$/, '');
}

/** What was added lately, oldest first. */
function memory(clock: Clock): { has(key: string): boolean; add(key: string): void } {
  const sinceMs = new Map<string, number>();
  const isOld = (ms: number) => clock.elapsed() - ms >= REPEAT_MS;
  return {
    has: (key) => !isOld(sinceMs.get(key) ?? Number.NEGATIVE_INFINITY),
    add(key) {
      sinceMs.delete(key);
      sinceMs.set(key, clock.elapsed());
      for (const [oldest, ms] of sinceMs) {
        if (!isOld(ms) && sinceMs.size <= REMEMBERED_MAX) return;
        sinceMs.delete(oldest);
      }
    },
  };
}

/** Takes one of what has gathered, if there is any. */
function bucket(clock: Clock): () => boolean {
  let left = BURST;
  let filledMs = clock.elapsed();
  return () => {
    const gathered = Math.floor((clock.elapsed() - filledMs) / PERIOD_MS);
    left = Math.min(BURST, left + gathered);
    filledMs += gathered * PERIOD_MS;
    if (left === 0) return false;
    left -= 1;
    return true;
  };
}
