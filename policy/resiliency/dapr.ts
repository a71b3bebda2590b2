// A Resiliency of Dapr (dapr.io/v1alpha1), as it is written, in the words of ours. What is about calls between apps means the
// same; actors and components are not called here, and what is said of them is named and left aside.
import { type ResiliencySpec, readResiliency } from '../../api/resources/resiliency.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export interface DaprResiliency {
  readonly spec: ResiliencySpec;
  /** A sentence for each part that is left aside. */
  readonly ignored: readonly string[];
}

/** `scopes` stand beside the spec there. */
export function readDaprResiliency(spec: unknown, scopes?: unknown): Result<DaprResiliency, readonly string[]> {
  const ignored: string[] = [];
  const { policies, targets, ...rest } = recordOf(spec);
  const wrong = Object.entries({ spec, 'spec.policies': policies, 'spec.targets': targets }).filter(isMiswritten);
  if (wrong.length > 0) return err(wrong.map(([place]) => `${place}: this is an object`));
  const { apps, ...otherTargets } = recordOf(targets);
  for (const kind of Object.keys(otherTargets))
    ignored.push(`targets.${kind} is left aside: calls between apps alone are made here`);
  const { timeouts, retries, circuitBreakers, ...otherPolicies } = recordOf(policies);
  const read = readResiliency({
    ...rest,
    ...(Array.isArray(scopes) && scopes.length > 0 && { scopes }),
    policies: {
      ...otherPolicies,
      timeouts: mapped(timeouts, durationText),
      retries: mapped(withoutBuiltIns(recordOf(retries), ignored), readRetry),
      circuitBreakers: mapped(circuitBreakers, readBreaker),
    },
    targets: { apps: mapped(apps, readTarget) },
  });
  return read.ok ? ok({ spec: read.value, ignored }) : read;
}

/** Built-in retries are a matter of proof here, and not of a policy. */
function withoutBuiltIns(retries: Fields, ignored: string[]): Record<string, unknown> {
  const kept = Object.entries(retries).filter(([name]) => !name.startsWith('DaprBuiltIn'));
  for (const name of Object.keys(retries).filter((name) => name.startsWith('DaprBuiltIn')))
    ignored.push(
      `policies.retries.${name} is left aside: what reached no app goes elsewhere at once, without a policy`,
    );
  return Object.fromEntries(kept);
}

function readRetry(written: unknown): unknown {
  if (!isRecord(written)) return written;
  const { duration, maxInterval, maxRetries, matching, policy, ...rest } = written;
  return defined({
    ...rest,
    policy: typeof policy === 'string' ? policy.toLowerCase() : policy,
    duration: durationText(duration),
    maxInterval: durationText(maxInterval),
    // Any negative number is endless there.
    maxRetries: typeof maxRetries === 'number' ? Math.max(maxRetries, -1) : maxRetries,
    matching: isRecord(matching) ? mapped(matching, withoutSpaces) : matching,
  });
}

function readBreaker(written: unknown): unknown {
  if (!isRecord(written)) return written;
  const { interval, timeout, maxRequests, ...rest } = written;
  return defined({
    ...rest,
    interval: durationText(interval),
    timeout: durationText(timeout),
    // 0 is one there.
    maxRequests: maxRequests === 0 ? undefined : maxRequests,
  });
}

function readTarget(written: unknown): unknown {
  if (!isRecord(written)) return written;
  const { circuitBreakerCacheSize, ...rest } = written;
  return defined({
    ...rest,
    circuitBreakerCacheSize: circuitBreakerCacheSize === 0 ? undefined : circuitBreakerCacheSize,
  });
}

/** A bare number is in milliseconds there, and amounts below those may be written in us and ns. */
function durationText(written: unknown): unknown {
  if (typeof written === 'number') return `${written}ms`;
  if (typeof written !== 'string') return written;
  if (written === '') return undefined;
  if (/^\d+$/.test(written)) return `${written}ms`;
  const fine = /^(\d+(?:\.\d+)?)(us|µs|ns)$/.exec(written);
  if (fine === null) return written;
  return `${Number(fine[1]) / (fine[2] === 'ns' ? 1e6 : 1000)}ms`;
}

function withoutSpaces(written: unknown): unknown {
  if (typeof written === 'string') return written.replaceAll(/\s/g, '') || undefined;
  return typeof written === 'number' ? String(written) : written;
}

function mapped(written: unknown, read: (value: unknown) => unknown): unknown {
  if (written === undefined || written === null) return undefined;
  if (!isRecord(written)) return written;
  return defined(Object.fromEntries(Object.entries(written).map(([name, value]) => [name, read(value)])));
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(written: unknown): written is Fields {
  return typeof written === 'object' && written !== null && !Array.isArray(written);
}

function isMiswritten([, written]: readonly [string, unknown]): boolean {
  return written !== undefined && written !== null && !isRecord(written);
}

function recordOf(written: unknown): Fields {
  return isRecord(written) ? written : {};
}

function defined(record: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== null));
}
