// DNS messages (RFC 1035) as this sidecar asks and reads them: one question, and what its answer comes down to. The
// bytes are dns-packet's; whether an answer is to this question is ours.
import { type Answer, type DecodedPacket, decode, encode, RECURSION_DESIRED } from 'dns-packet';

export interface Question {
  /** Fully qualified: nothing is appended to it. */
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'SRV';
}

export interface Query extends Question {
  readonly id: number;
}

export type Reply =
  /** At least one record. */
  | { readonly kind: 'records'; readonly answers: readonly Answer[]; readonly additionals: readonly Answer[] }
  /** The server knows that there is nothing: no such name, or none of this type. */
  | { readonly kind: 'nxdomain' | 'nodata'; readonly ttlSec: number }
  /** The server cannot say: SERVFAIL, REFUSED and the like. */
  | { readonly kind: 'failed'; readonly code: string }
  /** There is more than a datagram holds: to be asked over TCP. */
  | { readonly kind: 'truncated' };

/** What fits a datagram on any path without fragments (RFC 9715). */
const UDP_PAYLOAD_BYTES = 1232;

const CODES: Readonly<Record<number, string>> = { 1: 'FORMERR', 2: 'SERVFAIL', 4: 'NOTIMP', 5: 'REFUSED' };
const NOERROR = 0;
const NXDOMAIN = 3;

export function encodeQuery({ id, name, type }: Query): Buffer {
  return encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type, class: 'IN' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: UDP_PAYLOAD_BYTES,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
}

/** Undefined: this is no answer to that query, whatever else it is. */
export function readReply(bytes: Buffer, query: Query): Reply | undefined {
  const packet = read(bytes);
  if (packet === undefined || !isReplyTo(query, packet)) return undefined;
  if (packet.flag_tc) return { kind: 'truncated' };
  const code = (packet.flags ?? 0) & 0xf;
  if (code === NXDOMAIN) return { kind: 'nxdomain', ttlSec: negativeTtlSec(packet) };
  if (code !== NOERROR) return { kind: 'failed', code: CODES[code] ?? `RCODE ${code}` };
  const { answers = [], additionals = [] } = packet;
  if (answers.length > 0) return { kind: 'records', answers, additionals };
  return { kind: 'nodata', ttlSec: negativeTtlSec(packet) };
}

/** Names are the same whatever their case, with or without the dot at the end. */
export function plainName(name: string): string {
  return name.replace(/\.$/, '').toLowerCase();
}

/** The library throws at bytes that are no DNS. */
function read(bytes: Buffer): DecodedPacket | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whoever does not see the query can only guess its id; the question must come back whole. */
function isReplyTo({ id, name, type }: Query, { type: kind, id: repliedId, questions = [] }: DecodedPacket): boolean {
  const [question, ...more] = questions;
  if (kind !== 'response' || repliedId !== id || question === undefined || more.length > 0) return false;
  return question.type === type && (question.class ?? 'IN') === 'IN' && plainName(question.name) === plainName(name);
}

/** RFC 2308: the lesser of the SOA record's own TTL and its last field. 0 where there is none. */
function negativeTtlSec({ authorities = [] }: DecodedPacket): number {
  for (const record of authorities)
    if (record.type === 'SOA') return Math.min(record.ttl ?? 0, record.data.minimum ?? 0);
  return 0;
}
