// The details of a gRPC status as protobuf's JSON has them: google.protobuf.Any by its type. The standard ones
// (google/rpc/error_details.proto) are spelled out; of any other the bytes are shown, for nobody here has its schema.
import { allBytes, lastBytes, lastNumber, lastUtf8, type ProtoField, readFields } from './protobuf.ts';
import { decodeAny } from './rpc-status.ts';

type Read = (fields: readonly ProtoField[], number: number) => unknown;
/** A message: its fields, by name, with their numbers. */
type Shape = Readonly<Record<string, readonly [number: number, read: Read]>>;

const text: Read = (fields, number) => lastUtf8(fields, number) || undefined;
const texts: Read = (fields, number) => some(allBytes(fields, number).map((bytes) => bytes.toString('utf8')));
const many =
  (shape: Shape): Read =>
  (fields, number) =>
    some(allBytes(fields, number).map((bytes) => jsonOf(bytes, shape)));

const textMap: Read = (fields, number) => {
  const entries = allBytes(fields, number).map((bytes) => {
    const entry = fieldsOf(bytes);
    return [lastUtf8(entry, 1), lastUtf8(entry, 2)] as const;
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

/** google.protobuf.Duration: seconds with as many decimals as it takes. */
const duration: Read = (fields, number) => {
  const bytes = lastBytes(fields, number);
  if (bytes === undefined) return undefined;
  const parts = fieldsOf(bytes);
  const nanos = String(lastNumber(parts, 2)).padStart(9, '0').replace(/0+$/, '');
  return `${lastNumber(parts, 1)}${nanos === '' ? '' : `.${nanos}`}s`;
};

const SHAPES: Readonly<Record<string, Shape>> = {
  ErrorInfo: { reason: [1, text], domain: [2, text], metadata: [3, textMap] },
  RetryInfo: { retryDelay: [1, duration] },
  DebugInfo: { stackEntries: [1, texts], detail: [2, text] },
  QuotaFailure: { violations: [1, many({ subject: [1, text], description: [2, text] })] },
  PreconditionFailure: {
    violations: [1, many({ type: [1, text], subject: [2, text], description: [3, text] })],
  },
  BadRequest: { fieldViolations: [1, many({ field: [1, text], description: [2, text] })] },
  RequestInfo: { requestId: [1, text], servingData: [2, text] },
  ResourceInfo: { resourceType: [1, text], resourceName: [2, text], owner: [3, text], description: [4, text] },
  Help: { links: [1, many({ description: [1, text], url: [2, text] })] },
  LocalizedMessage: { locale: [1, text], message: [2, text] },
};
const STANDARD = 'type.googleapis.com/google.rpc.';

/** Of a google.protobuf.Any in bytes; what is none has no type. */
export function jsonOfDetail(bytes: Buffer): Record<string, unknown> {
  const any = decodeAny(bytes);
  if (!any.ok) return { '@type': '', value: bytes.toString('base64') };
  const { typeUrl, value } = any.value;
  const name = typeUrl.startsWith(STANDARD) ? typeUrl.slice(STANDARD.length) : '';
  const shape = Object.hasOwn(SHAPES, name) ? SHAPES[name] : undefined;
  if (shape === undefined || !readFields(value).ok) return { '@type': typeUrl, value: value.toString('base64') };
  return { '@type': typeUrl, ...jsonOf(value, shape) };
}

function jsonOf(bytes: Buffer, shape: Shape): Record<string, unknown> {
  const fields = fieldsOf(bytes);
  const said = Object.entries(shape).map(([name, [number, read]]) => [name, read(fields, number)] as const);
  return Object.fromEntries(said.filter(([, value]) => value !== undefined));
}

/** What is broken within a message that can be read says nothing. */
function fieldsOf(bytes: Buffer): readonly ProtoField[] {
  const fields = readFields(bytes);
  return fields.ok ? fields.value : [];
}

function some<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
