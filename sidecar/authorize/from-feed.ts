// What the operator's snapshot says of access. A policy of it that cannot be read goes on with what it said last; if there is
// nothing that it said, it closes what it was to protect: nobody can tell whom it was to keep out.
import type { Identity } from '../../api/ids.ts';
import type { Log } from '../../kit/log.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import { readPolicy } from '../../policy/access/read-policy.ts';
import type { PlacedPolicy } from '../../policy/access/rule.ts';
import { readNamespaceAccess } from '../../policy/fence/read-fence.ts';
import type { ConfigResource, FeedConfig } from '../feed/feed.ts';
import { type AccessResources, EVERYBODY_MAY, type PlacedNamespaceAccess } from './resources.ts';

const ACCESS_POLICY = 'AccessPolicy';
const NAMESPACE_POLICY = 'NamespacePolicy';

/** Changes when what concerns access has changed, and not with each snapshot. */
export function accessFromFeed(
  config: Snapshot<FeedConfig | undefined>,
  own: Identity,
  log: Log,
): Snapshot<AccessResources> {
  const reading = new Reading(own, log);
  const first = config.current();
  const resources = snapshot(first === undefined ? EVERYBODY_MAY : reading.read(first));
  let known = first && gist(first);
  config.changed((next) => {
    // Without any snapshot no call is let in at all: see grounds.ts.
    if (next === undefined || gist(next) === known) return;
    known = gist(next);
    resources.set(reading.read(next));
  });
  return resources;
}

function gist({ resources, barredNamespaces, defaultAccess }: FeedConfig): string {
  const about = resources.filter(({ kind }) => kind === ACCESS_POLICY || kind === NAMESPACE_POLICY);
  return JSON.stringify([about.map(({ kind, name, spec }) => [kind, name, spec]), barredNamespaces, defaultAccess]);
}

/** Remembers of each policy what it said when it could be read. */
class Reading {
  readonly #own: Identity;
  readonly #log: Log;
  #policies: ReadonlyMap<string, PlacedPolicy> = new Map();
  #namespaces: ReadonlyMap<string, PlacedNamespaceAccess> = new Map();

  constructor(own: Identity, log: Log) {
    this.#own = own;
    this.#log = log;
  }

  read({ resources, barredNamespaces, defaultAccess }: FeedConfig): AccessResources {
    const policies = resources.filter(({ kind }) => kind === ACCESS_POLICY).map((one) => this.#policy(one));
    const namespaces = resources.filter(({ kind }) => kind === NAMESPACE_POLICY).map((one) => this.#namespace(one));
    // Those that are gone are forgotten: another policy of the name would be another policy.
    this.#policies = new Map(policies.flatMap((one) => ('spec' in one ? [[one.name, one]] : [])));
    this.#namespaces = new Map(namespaces.flatMap((one) => (one.access === undefined ? [] : [[one.namespace, one]])));
    return { policies, namespaces, barred: barredNamespaces, installation: defaultAccess };
  }

  #policy({ namespace, name, spec }: ConfigResource) {
    const read = readPolicy({ namespace, name }, spec, this.#own);
    if ('spec' in read) return read;
    const last = this.#policies.get(name);
    this.#complain(ACCESS_POLICY, name, read.reason, last !== undefined);
    return last ?? read;
  }

  /** Named as its namespace. */
  #namespace({ name, spec }: ConfigResource): PlacedNamespaceAccess {
    const read = readNamespaceAccess(spec);
    if (read.ok) return { namespace: name, access: read.value };
    const last = this.#namespaces.get(name);
    this.#complain(NAMESPACE_POLICY, name, read.error, last !== undefined);
    return last ?? { namespace: name, access: undefined, reason: read.error };
  }

  #complain(kind: string, name: string, reason: string, hasLast: boolean): void {
    const outcome = hasLast
      ? 'what it said before holds on'
      : 'calls that it may be about are denied until it is put right';
    this.#log.error(`${kind} "${name}" cannot be read: ${outcome}`, { reason });
  }
}
