// Whom the own app may call, as far as this end knows: the fence of its namespace, and of namespaces whose policies are known
// here. The sidecar of the app that is called judges again and knows more; this only spares a call that it would refuse.
import type { Identity, Target } from '../../api/ids.ts';
import type { Denied } from '../../policy/access/verdict.ts';
import { compileFence, compileWayOut, mayEnter, mayLeave, type WayOut } from '../../policy/fence/fence.ts';
import type { NamespaceAccess } from '../../policy/fence/read-fence.ts';
import type { PlacedNamespaceAccess } from './resources.ts';

const MAY_LEAVE = Symbol('may leave');

export class Leaving {
  readonly #own: Identity;
  readonly #namespaces: ReadonlyMap<string, PlacedNamespaceAccess>;
  readonly #wayOut: WayOut;
  /** One name gives one object (parseTarget), and what was found of it goes with it. */
  readonly #known = new WeakMap<Target, Denied | typeof MAY_LEAVE>();

  private constructor(own: Identity, namespaces: readonly PlacedNamespaceAccess[]) {
    this.#own = own;
    this.#namespaces = new Map(namespaces.map((one) => [one.namespace, one]));
    const { namespace } = own;
    this.#wayOut = compileWayOut(namespace, this.#namespaces.get(namespace)?.access?.mayCall);
  }

  /** Undefined where nothing is forbidden. */
  static by(namespaces: readonly PlacedNamespaceAccess[], own: Identity): Leaving | undefined {
    const narrowing = namespaces.filter(({ namespace, access }) =>
      namespace === own.namespace
        ? access === undefined || access.mayCall !== undefined
        : access?.callableFrom !== undefined,
    );
    return narrowing.length === 0 ? undefined : new Leaving(own, narrowing);
  }

  /** Why the target may not be called; undefined when it may. */
  denial(target: Target): Denied | undefined {
    let known = this.#known.get(target);
    if (known === undefined) {
      known = this.#judge(target) ?? MAY_LEAVE;
      this.#known.set(target, known);
    }
    return known === MAY_LEAVE ? undefined : known;
  }

  #judge(target: Target): Denied | undefined {
    const { namespace, trustDomain } = this.#own;
    if (target.namespace === namespace) return undefined;
    const ours = this.#namespaces.get(namespace);
    if (ours !== undefined && ours.access === undefined) return unreadable(ours);
    if (!mayLeave(this.#wayOut, target)) return fenced('mayCall', namespace);
    const callableFrom = this.#callableFrom(target);
    const theirs = compileFence(callableFrom === undefined ? {} : { callableFrom }, { ...target, trustDomain });
    return mayEnter(theirs, this.#own) === undefined ? undefined : fenced('callableFrom', target.namespace);
  }

  #callableFrom(target: Target): NamespaceAccess['callableFrom'] {
    return this.#namespaces.get(target.namespace)?.access?.callableFrom;
  }
}

function fenced(list: 'mayCall' | 'callableFrom', namespace: string): Denied {
  return { kind: 'deny', by: { kind: 'fence', list, name: `${list} of namespace ${namespace}` } };
}

function unreadable({ namespace, reason = '' }: PlacedNamespaceAccess): Denied {
  return { kind: 'deny', by: { kind: 'unreadable', name: `${namespace}/NamespacePolicy`, reason } };
}
