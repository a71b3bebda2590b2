// Details of a gRPC status as protobuf's JSON: Google's own are spelled out by name, and whatever else there is loses nothing.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonOfDetail } from './detail-json.ts';
import { ProtoWriter } from './protobuf.ts';
import { anyBytes, hostile } from './testing-schema.ts';

type Write = (message: ProtoWriter) => void;
const message = (write: Write): Buffer => {
  const writer = new ProtoWriter();
  write(writer);
  return writer.finish();
};
const any = (typeUrl: string, value: Buffer) =>
  message((writer) => {
    writer.utf8(1, typeUrl);
    writer.bytes(2, value);
  });

test.each<[string, Write, Record<string, unknown>]>([
  [
    'ErrorInfo',
    (info) => {
      info.utf8(1, 'OUT');
      info.utf8(2, 'shop.example');
      for (const key of ['a', '__proto__'])
        info.message(3, (entry) => {
          entry.utf8(1, key);
          entry.utf8(2, 'ü');
        });
    },
    { reason: 'OUT', domain: 'shop.example', metadata: JSON.parse('{"a":"ü","__proto__":"ü"}') },
  ],
  ['RetryInfo', (info) => info.message(1, (delay) => delay.uint(1, 3)), { retryDelay: '3s' }],
  [
    'RetryInfo',
    (info) =>
      info.message(1, (delay) => {
        delay.uint(1, 1);
        delay.uint(2, 20_000_000);
      }),
    { retryDelay: '1.02s' },
  ],
  [
    'BadRequest',
    (bad) => {
      for (const field of ['name', 'size']) bad.message(1, (violation) => violation.utf8(1, field));
    },
    { fieldViolations: [{ field: 'name' }, { field: 'size' }] },
  ],
  [
    'DebugInfo',
    (info) => {
      info.utf8(1, 'at a');
      info.utf8(1, 'at b');
    },
    { stackEntries: ['at a', 'at b'] },
  ],
  ['RequestInfo', () => undefined, {}],
])('%s', (name, write, expected) => {
  const typeUrl = `type.googleapis.com/google.rpc.${name}`;
  expect(jsonOfDetail(any(typeUrl, message(write)))).toEqual({ '@type': typeUrl, ...expected });
});

test.each(['type.x/my.Type', 'type.googleapis.com/google.rpc.Other', 'type.googleapis.com/google.rpc.constructor'])(
  'of %s the bytes are shown',
  (typeUrl) => {
    expect(jsonOfDetail(any(typeUrl, Buffer.from([1, 2])))).toEqual({ '@type': typeUrl, value: 'AQI=' });
  },
);

test('whatever the bytes are, there is JSON of them', () => {
  const info = anyBytes.map((bytes) => any('type.googleapis.com/google.rpc.ErrorInfo', bytes));
  fc.assert(
    fc.property(hostile(info), (bytes) => {
      expect(JSON.stringify(jsonOfDetail(bytes))).toContain('@type');
    }),
    { numRuns: 1000 },
  );
});
