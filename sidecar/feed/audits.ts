// What the operator has not been told yet of calls that policies in audit mode would have denied: numbers, and one call of each kind as
// an example. What strangers call makes it no longer than there are rules.
import { spiffeId } from '../../api/ids.ts';
import { type AuditDenials, FEED_AUDITS_MAX, FEED_OPERATION_CHARACTERS_MAX } from '../../api/proto/feed-audits.ts';
import { excerpt } from '../../kit/text.ts';
import { type AccessCall, methodWord } from '../../policy/access/call.ts';
import { type Ground, policyOf } from '../../policy/access/verdict.ts';
import type { FeedConfig } from './feed.ts';

const ACCESS_POLICY = 'AccessPolicy';

type Untold = Omit<AuditDenials, 'count' | 'ageMs'> & { count: number; lastMs: number };

export class UntoldAudits {
  /** By what would have denied. */
  readonly #untold = new Map<string, Untold>();

  get isEmpty(): boolean {
    return this.#untold.size === 0;
  }

  /** A call that `config`, if it is the one in force, would have had denied. */
  note(ground: Ground, call: AccessCall, config: FeedConfig | undefined, nowMs: number): void {
    const known = this.#untold.get(ground.name);
    if (known !== undefined) {
      known.count += 1;
      known.lastMs = nowMs;
      return;
    }
    const policy = config && policyBehind(ground, config);
    // What there is no room for is told if it is called again.
    if (policy === undefined || this.#untold.size >= FEED_AUDITS_MAX) return;
    const operation = excerpt(`${methodWord(call)} ${call.path}`, FEED_OPERATION_CHARACTERS_MAX);
    const example = { caller: spiffeId(call.caller), operation };
    this.#untold.set(ground.name, { ...policy, deniedBy: ground.name, ...example, count: 1, lastMs: nowMs });
  }

  /** Of a policy that has been edited, or is gone, nobody wants to hear what it would have denied. */
  keepOnly(config: FeedConfig): void {
    const current = new Set(policiesIn(config).map(({ name, generation }) => `${name} ${generation}`));
    for (const [key, { policy, generation }] of this.#untold) {
      if (!current.has(`${policy} ${generation}`)) this.#untold.delete(key);
    }
  }

  /** All of it: from now on it is told. */
  take(nowMs: number): readonly AuditDenials[] {
    const told = [...this.#untold.values()].map(({ lastMs, ...untold }) => ({
      ...untold,
      ageMs: Math.round(nowMs - lastMs),
    }));
    this.#untold.clear();
    return told;
  }
}

function policyBehind(ground: Ground, config: FeedConfig): Pick<AuditDenials, 'policy' | 'generation'> | undefined {
  const key = policyOf(ground);
  const found = policiesIn(config).find(({ namespace, name }) => `${namespace}/${name}` === key);
  return found && { policy: found.name, generation: found.generation };
}

function policiesIn({ resources }: FeedConfig) {
  return resources.filter(({ kind }) => kind === ACCESS_POLICY);
}
