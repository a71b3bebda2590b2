// What an authority is made of, and how that is laid out as named texts: files of a folder, or entries of a Secret.
//
//   root.key, root.crt, issuer.key, issuer.crt          what signs now
//   root-2.key, root-2.crt, issuer-2.key, issuer-2.crt  the second slots: a successor or a predecessor
//   phases.json                                         which of the two a second slot holds, and since when
//
// A successor is prepared first and activated later, when everybody has seen it (the scheme of SPIRE); each is one write.
import * as z from 'zod';
import type { TrustDomain } from '../../api/ids.ts';
import { parseJson } from '../../kit/json.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { isSignedBy, keyPemOf, readSigner, type Signer, type SignerKind } from './signer.ts';

export type Slots =
  | { readonly phase: 'steady'; readonly active: Signer }
  /** `prepared`: the second slot holds who signs next; `retiring`: who signed before. `sinceMs` is epoch milliseconds. */
  | {
      readonly phase: 'prepared' | 'retiring';
      readonly active: Signer;
      readonly second: Signer;
      readonly sinceMs: number;
    };

export interface AuthorityState {
  readonly root: Slots;
  /** The active one is signed by the active root. */
  readonly issuer: Slots;
}

/** As found: where making the issuer was interrupted, it is missing. */
export type StoredState = Pick<AuthorityState, 'root'> & { readonly issuer: Slots | undefined };

/** Text by name. */
export type Entries = Readonly<Record<string, string | undefined>>;

/** Where entries are, for messages. */
export interface Place {
  /** Such as the folder's path. */
  readonly whole: string;
  /** Such as a file's path. */
  entry(name: string): string;
  /** How to begin with a new root: the end of a sentence. */
  readonly startOver: string;
}

export const ANCHORS_ENTRY = 'trust-anchors.crt';
const PHASES_ENTRY = 'phases.json';
const SIGNERS = ['root', 'issuer', 'root-2', 'issuer-2'] as const;
type SignerName = (typeof SIGNERS)[number];
const SIGNER_ENTRIES = SIGNERS.flatMap((name) => [`${name}.key`, `${name}.crt`]);
/** Every name that `printState` may use. */
export const STATE_ENTRIES: readonly string[] = [...SIGNER_ENTRIES, PHASES_ENTRY];

const phaseSchema = z.object({ phase: z.enum(['prepared', 'retiring']), since: z.iso.datetime() }).optional();
const phasesSchema = z.object({ root: phaseSchema, issuer: phaseSchema });

/** Undefined where there is no trace of an authority. What is damaged is named; nothing is mended here. */
export function readState(entries: Entries, place: Place, trustDomain: TrustDomain): Result<StoredState | undefined> {
  const reader = { entries, place, trustDomain };
  const phases = readPhases(reader);
  if (!phases.ok) return phases;
  const root = readSlots(reader, 'root', phases.value.root);
  if (!root.ok) return root;
  if (!root.value) {
    const orphan = [...SIGNER_ENTRIES, ANCHORS_ENTRY].find((name) => entries[name] !== undefined);
    return orphan === undefined ? ok(undefined) : err(lost(place, 'root.key and root.crt', orphan));
  }
  // No certificate: none was made yet, or a replacement was interrupted. Nothing depends on its key.
  if (entries['issuer.crt'] === undefined) return ok({ root: root.value, issuer: undefined });
  const issuer = readSlots(reader, 'issuer', phases.value.issuer);
  if (!issuer.ok) return issuer;
  if (issuer.value && !isSignedBy(issuer.value.active, root.value.active)) {
    const [child, parent] = [place.entry('issuer.crt'), place.entry('root.crt')];
    return err(`${child} was not signed by ${parent}; restore the one that belongs to it`);
  }
  return ok({ root: root.value, issuer: issuer.value });
}

/** The opposite of `readState`: every entry of ours; the others are to go. */
export function printState({ root, issuer }: AuthorityState): Readonly<Record<string, string>> {
  const phases = { root: printPhase(root), issuer: printPhase(issuer) };
  return {
    ...printSlots('root', root),
    ...printSlots('issuer', issuer),
    ...(phases.root || phases.issuer ? { [PHASES_ENTRY]: `${JSON.stringify(phases)}\n` } : {}),
  };
}

/** What clients are to trust: roots that sign, that will, and that did. PEM. */
export function anchorsOf({ root }: StoredState): string {
  return root.phase === 'steady' ? root.active.certificatePem : root.active.certificatePem + root.second.certificatePem;
}

export function steady(active: Signer): Slots {
  return { phase: 'steady', active };
}

export function isSameState(one: AuthorityState, other: AuthorityState): boolean {
  return isSameSlots(one.root, other.root) && isSameSlots(one.issuer, other.issuer);
}

function isSameSlots(one: Slots, other: Slots): boolean {
  const certificates = (slots: Slots) =>
    [slots.active, ...(slots.phase === 'steady' ? [] : [slots.second])].map((signer) => signer.certificatePem);
  return one.phase === other.phase && certificates(one).join() === certificates(other).join();
}

interface Reader {
  readonly entries: Entries;
  readonly place: Place;
  readonly trustDomain: TrustDomain;
}

type Phase = z.output<typeof phaseSchema>;

function readPhases({ entries, place }: Reader): Result<z.output<typeof phasesSchema>> {
  const text = entries[PHASES_ENTRY];
  if (text === undefined) return ok({});
  const json = parseJson(text);
  const parsed = phasesSchema.safeParse(json.ok ? json.value : undefined);
  return parsed.success ? ok(parsed.data) : err(`${place.entry(PHASES_ENTRY)} is damaged; restore it`);
}

/** Undefined where the active slot is empty. */
function readSlots(reader: Reader, kind: SignerKind, phase: Phase): Result<Slots | undefined> {
  const active = readSlot(reader, kind, kind);
  if (!active.ok) return active;
  if (!active.value) return ok(undefined);
  if (!phase) return ok(steady(active.value));
  const second = readSlot(reader, kind, `${kind}-2`);
  if (!second.ok) return second;
  if (!second.value) return err(lost(reader.place, `${kind}-2.crt`, PHASES_ENTRY));
  return ok({ phase: phase.phase, active: active.value, second: second.value, sinceMs: Date.parse(phase.since) });
}

/** Undefined where neither key nor certificate is there. */
function readSlot(
  { entries, place, trustDomain }: Reader,
  kind: SignerKind,
  name: SignerName,
): Result<Signer | undefined> {
  const [keyName, certificateName] = [`${name}.key`, `${name}.crt`];
  const [key, certificate] = [entries[keyName], entries[certificateName]];
  if (key === undefined && certificate === undefined) return ok(undefined);
  if (key === undefined) return err(lost(place, keyName, certificateName));
  if (certificate === undefined) return err(lost(place, certificateName, keyName));
  const [keyPlace, certificatePlace] = [place.entry(keyName), place.entry(certificateName)];
  return readSigner(kind, trustDomain, { key, certificate, keyPlace, certificatePlace });
}

function printSlots(kind: SignerKind, slots: Slots): Record<string, string> {
  const printed = printSigner(kind, slots.active);
  return slots.phase === 'steady' ? printed : { ...printed, ...printSigner(`${kind}-2`, slots.second) };
}

function printSigner(name: SignerName, signer: Signer): Record<string, string> {
  return { [`${name}.key`]: keyPemOf(signer), [`${name}.crt`]: signer.certificatePem };
}

function printPhase(slots: Slots): Phase {
  return slots.phase === 'steady' ? undefined : { phase: slots.phase, since: new Date(slots.sinceMs).toISOString() };
}

function lost({ whole, startOver }: Place, missing: string, present: string): string {
  return (
    `${whole} holds ${present} but not ${missing}: the authority is incomplete. Restore what is missing from a ` +
    `backup; to begin with a new root, which no running workload trusts, ${startOver}`
  );
}
