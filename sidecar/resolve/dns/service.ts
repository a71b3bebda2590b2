// A headless Service's endpoints by DNS: its SRV records name ports and targets, the addresses of the targets come with
// them or are asked for.
//
// Priorities and weights are not looked at: Kubernetes gives all endpoints the same.
import type { Answer } from 'dns-packet';
import type { Endpoint } from '../resolver.ts';
import type { DnsClient } from './client.ts';
import { plainName } from './message.ts';

export type ServiceAnswer =
  | { readonly kind: 'found'; readonly endpoints: readonly Endpoint[]; readonly ttlMs: number }
  /** There are none, says DNS. */
  | { readonly kind: 'none'; readonly ttlMs: number }
  /** Nobody could tell. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Targets whose addresses did not come with the SRV records; more are left for the next time. */
const TARGETS_ASKED_MAX = 32;

/** `name` is that of the SRV records. Never rejects. `endMs` is a time of the clock's `elapsed`. */
export async function lookUpService(name: string, client: DnsClient, endMs: number): Promise<ServiceAnswer> {
  const known = await client.ask({ name, type: 'SRV' }, endMs);
  if (!known.ok) return { kind: 'failed', reason: known.error };
  if (known.value.kind !== 'records') return none(known.value.ttlSec);
  const targets = targetsOf(known.value.answers, name);
  const given = addressesByName(known.value.additionals);
  const bare = new Set(targets.map(({ target }) => target).filter((target) => !given.has(target)));
  if (bare.size === 0) return join(targets, given);
  const asked = await askAddresses([...bare], client, endMs);
  const joined = join(targets, new Map([...given, ...addressesByName(asked.records)]));
  if (joined.kind === 'none' && asked.problem !== undefined) return { kind: 'failed', reason: asked.problem };
  return joined;
}

interface Target {
  readonly target: string;
  readonly port: number;
  readonly ttlSec: number;
}

/** A target without a name says that the service is not offered (RFC 2782). */
function targetsOf(answers: readonly Answer[], name: string): readonly Target[] {
  return answers.flatMap((record) => {
    if (record.type !== 'SRV' || plainName(record.name) !== plainName(name)) return [];
    const target = plainName(record.data.target);
    return target === '' ? [] : [{ target, port: record.data.port, ttlSec: record.ttl ?? 0 }];
  });
}

interface Address {
  readonly host: string;
  readonly ttlSec: number;
}

type Addresses = ReadonlyMap<string, readonly Address[]>;

function addressesByName(records: readonly Answer[]): Addresses {
  const byName = new Map<string, Address[]>();
  for (const record of records) {
    if (record.type !== 'A' && record.type !== 'AAAA') continue;
    const name = plainName(record.name);
    const address = { host: record.data, ttlSec: record.ttl ?? 0 };
    byName.set(name, [...(byName.get(name) ?? []), address]);
  }
  return byName;
}

async function askAddresses(
  targets: readonly string[],
  client: DnsClient,
  endMs: number,
): Promise<{ readonly records: readonly Answer[]; readonly problem: string | undefined }> {
  const questions = targets
    .slice(0, TARGETS_ASKED_MAX)
    .flatMap((name) => [{ name, type: 'A' } as const, { name, type: 'AAAA' } as const]);
  const answers = await Promise.all(questions.map((question) => client.ask(question, endMs)));
  return {
    records: answers.flatMap((known) => (known.ok && known.value.kind === 'records' ? known.value.answers : [])),
    problem: answers.map((known) => (known.ok ? undefined : known.error)).find((error) => error !== undefined),
  };
}

/** Every address of every target, each once and in a steady order, for as long as the shortest of the records lives. */
function join(targets: readonly Target[], addresses: Addresses): ServiceAnswer {
  const endpoints = new Map<string, Endpoint>();
  let ttlSec = Number.POSITIVE_INFINITY;
  for (const { target, port, ttlSec: targetTtlSec } of targets) {
    for (const { host, ttlSec: addressTtlSec } of addresses.get(target) ?? []) {
      endpoints.set(`${host} ${port}`, { host, port });
      ttlSec = Math.min(ttlSec, targetTtlSec, addressTtlSec);
    }
  }
  if (endpoints.size === 0) return none(0);
  const sorted = [...endpoints].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
  return { kind: 'found', endpoints: sorted, ttlMs: ttlSec * 1000 };
}

function none(ttlSec: number): ServiceAnswer {
  return { kind: 'none', ttlMs: ttlSec * 1000 };
}
