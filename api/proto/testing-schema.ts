// Our .proto files as another implementation of protobuf reads them: the oracle of the codec's tests.
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import type { EncodedMessage } from './peer-encoding.ts';

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

export const schema = new protobuf.Root().loadSync(
  [
    'internals.proto',
    'peer.proto',
    'sentry.proto',
    'runtime.proto',
    'feed.proto',
    'health.proto',
    'reflection.proto',
  ].map(here),
  {
    keepCase: true,
  },
);

/** A message of the schema as bytes, from a plain object in the .proto files' own names. */
export function oracleEncode(type: string, message: Record<string, unknown>): Buffer {
  const messageType = schema.lookupType(type);
  const problem = messageType.verify(message);
  if (problem !== null) throw new Error(`${type}: ${problem}`);
  return Buffer.from(messageType.encode(messageType.fromObject(message)).finish());
}

/** Bytes as a plain object: enums by name, every number a JavaScript number, every field without a value its default. */
export function oracleDecode(type: string, bytes: Buffer): Record<string, unknown> {
  const messageType = schema.lookupType(type);
  const options = { enums: String, longs: Number, bytes: Buffer, defaults: true, arrays: true, objects: true };
  return messageType.toObject(messageType.decode(bytes), options);
}

/** Text in the codec's spelling: one character for each byte of its UTF-8. */
export function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export const anyText = fc.string({ unit: 'grapheme', maxLength: 12 });
export const anyBytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));

/** Bytes that are no message, or hardly one: random ones, and a real message cut short or with bytes changed. */
export function hostile(message: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const cut = fc.tuple(message, fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % (bytes.length + 1)));
  const changed = fc.tuple(message, fc.nat(), fc.nat({ max: 255 })).map(([bytes, at, byte]) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  });
  return fc.oneof(cut, changed, anyBytes);
}

/** A stream's message in one buffer. */
export function joined({ front, piece }: EncodedMessage): Buffer {
  return Buffer.concat([Buffer.from(front, 'latin1'), piece ?? Buffer.alloc(0)]);
}
