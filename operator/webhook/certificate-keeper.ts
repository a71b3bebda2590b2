// Keeps the webhook's certificates: in the Secret that all replicas share, and in the caBundle of the configurations. Every
// replica does so; each write is a compare-and-swap and is made only where something differs, so they do not fight.
import type {
  V1MutatingWebhookConfiguration,
  V1Secret,
  V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node';
import type { Namespace } from '../../api/ids.ts';
import { backoffMs, type Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import type { Answered, Kube, KubeFailure } from '../../kube/kube.ts';
import { type Kind, MUTATING_WEBHOOKS, SECRETS, VALIDATING_WEBHOOKS } from '../../kube/types.ts';
import { watchKind } from '../../kube/watch.ts';
import {
  advance,
  printCertificates,
  readCertificates,
  servingNames,
  trusted,
  type WebhookCertificates,
} from './certificates.ts';

/** In our own namespace; the chart makes it empty, and we fill it. */
export const CERTIFICATE_SECRET = 'invoke-webhook-certificate';

export interface KeeperOptions {
  readonly kube: Kube;
  readonly namespace: Namespace;
  /** Names of the configurations whose caBundle we keep. */
  readonly mutatingWebhook: string;
  readonly validatingWebhook: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface CertificateKeeper {
  /** Undefined until there are some. */
  readonly certificates: Snapshot<WebhookCertificates | undefined>;
  /** What stands in the way: undefined when the certificates and every caBundle are as they should be. */
  trouble(): string | undefined;
  stop(): void;
}

type Configuration = V1MutatingWebhookConfiguration | V1ValidatingWebhookConfiguration;

/** Watches say when something changed; this is for what time changes. */
const LOOK_MS = 60_000;
const BACKOFF = { baseMs: 200, maxMs: 15_000 };

export function keepCertificates(options: KeeperOptions): CertificateKeeper {
  const { kube, namespace, mutatingWebhook, validatingWebhook, clock, random, log } = options;
  const certificates = snapshot<WebhookCertificates | undefined>(undefined);
  let state: 'idle' | 'looking' | 'looking, and again' | 'stopped' = 'idle';
  let failures = 0;
  /** Until all was in place once. Later, what fails is tried again while the webhooks go on serving. */
  let trouble: string | undefined = 'the webhook certificate has not been read yet';
  let cancelWait: Cancel = () => undefined;

  const named = (name: string) => ({ fieldSelector: `metadata.name=${name}` });
  const watched = [
    watchKind(kube, SECRETS, { namespace, ...named(CERTIFICATE_SECRET) }, options),
    watchKind(kube, MUTATING_WEBHOOKS, named(mutatingWebhook), options),
    watchKind(kube, VALIDATING_WEBHOOKS, named(validatingWebhook), options),
  ];
  for (const store of watched) store.changed(look);
  look();

  function look(): void {
    if (state === 'looking') state = 'looking, and again';
    if (state !== 'idle') return;
    state = 'looking';
    cancelWait();
    void settle(options, takeUp).then(looked);
  }

  function takeUp(held: WebhookCertificates): void {
    const isNew = held.serving.certificate !== certificates.current()?.serving.certificate;
    if (isNew && state !== 'stopped') certificates.set(held);
  }

  function looked(settled: Result<void, KubeFailure>): void {
    if (state === 'stopped') return;
    const isAskedAgain = state === 'looking, and again';
    state = 'idle';
    failures = settled.ok ? 0 : failures + 1;
    if (settled.ok) trouble = undefined;
    else noteFailure(settled.error);
    if (settled.ok && isAskedAgain) look();
    else
      cancelWait = clock.after(
        settled.ok ? LOOK_MS * (0.8 + 0.4 * random()) : backoffMs(failures, BACKOFF, random),
        look,
      );
  }

  function noteFailure({ kind, message }: KubeFailure): void {
    if (trouble !== undefined) trouble = message;
    // Another replica was faster: the next look sees what it did.
    const isRace = kind === 'conflict' || kind === 'already-exists';
    if (isRace) log.debug('another replica has renewed the webhook certificate', { reason: message });
    else log.warn('the webhook certificate is not in place; trying again', { reason: message });
  }

  return {
    certificates,
    trouble: () => trouble,
    stop() {
      state = 'stopped';
      cancelWait();
      for (const store of watched) store.stop();
    },
  };
}

/** First the Secret, then whatever has to trust what it holds. */
async function settle(options: KeeperOptions, takeUp: (held: WebhookCertificates) => void): Answered<void> {
  const { mutatingWebhook, validatingWebhook } = options;
  const held = await settleSecret(options);
  if (!held.ok) return held;
  takeUp(held.value);
  const bundle = Buffer.from(trusted(held.value)).toString('base64');
  const mutating = await settleBundle(options, MUTATING_WEBHOOKS, mutatingWebhook, bundle);
  const validating = await settleBundle(options, VALIDATING_WEBHOOKS, validatingWebhook, bundle);
  return mutating.ok ? validating : mutating;
}

/** What the Secret holds after us; whoever was faster has decided. */
async function settleSecret({ kube, namespace, clock, log }: KeeperOptions): Answered<WebhookCertificates> {
  const found = await kube.get(SECRETS, CERTIFICATE_SECRET, namespace);
  if (!found.ok && found.error.kind !== 'not-found') return found;
  const secret: V1Secret = found.ok ? found.value : { metadata: { name: CERTIFICATE_SECRET, namespace } };
  const held = readCertificates(secret.data ?? {});
  const wanted = await advance(held, servingNames(namespace), clock.now());
  if (wanted === held) return ok(held);
  const next = { ...secret, data: printCertificates(wanted) };
  const written = found.ok ? await kube.replace(SECRETS, next) : await kube.create(SECRETS, next);
  if (!written.ok) return written;
  const isFirst = held === undefined;
  log.info('the webhook certificate was renewed', { secret: `${namespace}/${CERTIFICATE_SECRET}`, isFirst });
  return ok(wanted);
}

async function settleBundle<T extends Configuration>(
  { kube, log }: KeeperOptions,
  kind: Kind<T>,
  name: string,
  bundle: string,
): Answered<void> {
  const found = await kube.get(kind, name);
  if (!found.ok) return err({ ...found.error, message: `${found.error.message}; the chart makes it` });
  const { webhooks = [] } = found.value;
  const differing = webhooks.flatMap(({ clientConfig }, i) => (clientConfig.caBundle === bundle ? [] : [i]));
  if (differing.length === 0) return ok(undefined);
  const operations = differing.flatMap((i) => [
    // The entries may have changed places since.
    { op: 'test', path: `/webhooks/${i}/name`, value: webhooks[i]?.name },
    { op: 'add', path: `/webhooks/${i}/clientConfig/caBundle`, value: bundle },
  ]);
  const patched = await kube.patch(kind, name, undefined, operations);
  if (!patched.ok) return patched;
  log.info('the caBundle of a webhook configuration was set', { kind: kind.kind, name, entries: differing.length });
  return ok(undefined);
}
