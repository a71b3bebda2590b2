// A probe of a container that the sidecar does in the kubelet's place: what the webhook writes, and the sidecar reads. The kubelet
// asks for a page on the public port instead, and is told there whether it went well.
import { parsedBy, type Reader, type Readers, readRecord, text, texts, truth, wholeNumber } from '../kit/record.ts';
import { err } from '../kit/result.ts';
import { parseOneOf } from '../kit/values.ts';

export const PROBE_NAMES = ['liveness', 'readiness', 'startup'] as const;
export type ProbeName = (typeof PROBE_NAMES)[number];

interface Probe {
  /** Of its page. */
  readonly page: string;
  /** On loopback. */
  readonly port: number;
  readonly timeoutMs: number;
}

export interface HttpProbe extends Probe {
  readonly kind: 'http';
  readonly isTls: boolean;
  /** Path and query. */
  readonly target: string;
  /** As the header Host has it; empty: the address. */
  readonly authority: string;
  /** Name, value, name, value; names in lower case. */
  readonly fields: readonly string[];
}

export interface TcpProbe extends Probe {
  readonly kind: 'tcp';
}

export interface GrpcProbe extends Probe {
  readonly kind: 'grpc';
  /** Empty: the server as a whole. */
  readonly service: string;
}

export type AppProbe = HttpProbe | TcpProbe | GrpcProbe;

/** Under which the pages are; nothing else of the public port is there. */
export const PROBE_PAGES = '/app-probes';

export function probePage(container: string, name: ProbeName): string {
  return `${PROBE_PAGES}/${container}/${name}`;
}

const KINDS = ['http', 'tcp', 'grpc'] as const;

const common = { page: text, port: wholeNumber(1, 65_535), timeoutMs: wholeNumber(1) };
const http: Readers<HttpProbe> = {
  ...common,
  kind: parsedBy(parseOneOf(['http'])),
  isTls: truth,
  target: text,
  authority: text,
  fields: texts,
};
const tcp: Readers<TcpProbe> = { ...common, kind: parsedBy(parseOneOf(['tcp'])) };
const grpc: Readers<GrpcProbe> = { ...common, kind: parsedBy(parseOneOf(['grpc'])), service: text };

export const appProbe: Reader<AppProbe> = (value) => {
  const kind = readRecord({ kind: parsedBy(parseOneOf(KINDS)) }, value);
  if (!kind.ok) return err(kind.error.join(', '));
  const read = readAs(kind.value.kind, value);
  return read.ok ? read : err(read.error.join(', '));
};

function readAs(kind: AppProbe['kind'], value: unknown) {
  switch (kind) {
    case 'http':
      return readRecord(http, value);
    case 'tcp':
      return readRecord(tcp, value);
    case 'grpc':
      return readRecord(grpc, value);
  }
}
