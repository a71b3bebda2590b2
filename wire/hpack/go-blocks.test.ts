// Against another implementation, Go's golang.org/x/net/http2/hpack (v0.62.0): blocks that it made, and its verdict on blocks
// that were damaged. `testing/go-blocks.go` printed them.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { must } from '../../kit/result.ts';
import { HpackDecoder } from './decoder.ts';

const Connection = z.object({
  tableBytesMax: z.number(),
  blocks: z.array(z.object({ hex: z.string(), fields: z.array(z.string()), never: z.array(z.string()).default([]) })),
});
const Damaged = z.object({ hex: z.string(), isBroken: z.boolean(), fields: z.array(z.string()).default([]) });

const lines = readFileSync(new URL('./testing/go-blocks.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n');
const records: unknown[] = lines.map((line) => JSON.parse(line));
const connections = records.flatMap((record) => Connection.safeParse(record).data ?? []);
const damaged = records.flatMap((record) => Damaged.safeParse(record).data ?? []);

test('every record is one or the other', () => {
  expect(connections.length + damaged.length).toBe(lines.length);
  expect(Math.min(connections.length, damaged.length)).toBeGreaterThan(5);
});

describe.each(connections)('with a table of $tableBytesMax bytes', ({ tableBytesMax, blocks }) => {
  test('every block of a connection says what Go wrote', () => {
    const decoder = new HpackDecoder({ tableBytesMax });
    decoder.settingsAcknowledged();
    for (const { hex, fields, never } of blocks) {
      const decoded = must(decoder.decode(Buffer.from(hex, 'hex')));
      expect({ fields: decoded.fields, never: decoded.neverIndexed }).toEqual({ fields, never: new Set(never) });
    }
  });
});

test('what Go takes for broken is broken, and what it reads is read the same', () => {
  for (const { hex, isBroken, fields } of damaged) {
    const decoded = new HpackDecoder().decode(Buffer.from(hex, 'hex'));
    expect({ hex, isBroken: !decoded.ok && decoded.error.kind === 'compression' }).toEqual({ hex, isBroken });
    // Names and values that are none are found by a later step of Go's.
    if (decoded.ok && !fields.some((field) => field.startsWith(':'))) expect(decoded.value.fields).toEqual(fields);
  }
});
