// The state of an authority in a Secret, which all replicas share. Each write is a compare-and-swap of the whole: of two
// replicas that write at once, the second reads what the first has written and thinks again.
import type { V1Secret } from '@kubernetes/client-node';
import type { Namespace, TrustDomain } from '../../api/ids.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Kube } from '../../kube/kube.ts';
import { SECRETS } from '../../kube/types.ts';
import { type AuthorityState, type Entries, type Place, printState, readState, STATE_ENTRIES } from './state.ts';
import type { Change, StateStore, Updated } from './store.ts';

export interface SecretStoreOptions {
  readonly kube: Pick<Kube, 'get' | 'replace'>;
  readonly namespace: Namespace;
  readonly name: string;
  readonly trustDomain: TrustDomain;
}

/** Somebody else wins each race that we lose, so this many in a row mean something other than replicas. */
const TRIES_MAX = 5;

export function secretStore(options: SecretStoreOptions): StateStore {
  const place = placeOf(options);
  return {
    place,
    async read() {
      const secret = await readSecret(options);
      return secret.ok ? readState(entriesOf(secret.value), place, options.trustDomain) : secret;
    },
    update: (change) => update(options, place, change),
  };
}

async function update(options: SecretStoreOptions, place: Place, change: Change): Promise<Result<Updated>> {
  for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
    const secret = await readSecret(options);
    if (!secret.ok) return secret;
    const before = readState(entriesOf(secret.value), place, options.trustDomain);
    if (!before.ok) return before;
    const after = await change(before.value);
    if (!after.ok) return after;
    const updated = { before: before.value, after: after.value };
    if (isSame(updated)) return ok(updated);
    const written = await options.kube.replace(SECRETS, filledWith(secret.value, after.value));
    if (written.ok) return ok(updated);
    if (written.error.kind !== 'conflict') return err(`${place.whole} cannot be written: ${written.error.message}`);
  }
  return err(`${place.whole} was changed by somebody else at each of ${TRIES_MAX} tries; see who writes to it`);
}

function isSame({ before, after }: Updated): boolean {
  return before?.root === after.root && before.issuer === after.issuer;
}

async function readSecret({ kube, namespace, name }: SecretStoreOptions): Promise<Result<V1Secret>> {
  const read = await kube.get(SECRETS, name, namespace);
  if (read.ok) return read;
  if (read.error.kind !== 'not-found')
    return err(`the Secret ${namespace}/${name} cannot be read: ${read.error.message}`);
  return err(
    `there is no Secret ${namespace}/${name}; the chart makes it, empty, and the sentry fills it: run helm upgrade, and ` +
      `where there was one before, restore it from a backup (${GUIDE})`,
  );
}

const GUIDE = 'docs/certificate-authority.md';

function entriesOf({ data = {} }: V1Secret): Entries {
  const texts = Object.entries(data).map(([name, base64]) => [name, Buffer.from(base64, 'base64').toString()]);
  // An empty text is how a template leaves a place free.
  return Object.fromEntries(texts.filter(([, text]) => text !== ''));
}

/** What is not ours stays; the resourceVersion of what was read makes the write a compare-and-swap. */
function filledWith(secret: V1Secret, state: AuthorityState): V1Secret {
  const others = Object.entries(secret.data ?? {}).filter(([name]) => !STATE_ENTRIES.includes(name));
  const ours = Object.entries(printState(state)).map(([name, text]) => [name, Buffer.from(text).toString('base64')]);
  return { ...secret, data: Object.fromEntries([...others, ...ours]) };
}

function placeOf({ namespace, name }: SecretStoreOptions): Place {
  const whole = `the Secret ${namespace}/${name}`;
  return {
    whole,
    entry: (entry) => `${entry} in ${whole}`,
    startOver: `see "Start over" in ${GUIDE}`,
  };
}
