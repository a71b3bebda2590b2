// Where messages end, however they are cut into pieces.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageReader, type WholeMessage } from './message-reader.ts';

interface Sent {
  readonly bodyBytes: number;
  /** Undefined: by Content-Length. */
  readonly chunkBytes: number | undefined;
}

function printed({ bodyBytes, chunkBytes }: Sent, i: number): string {
  const start = `HTTP/1.1 200 Answer ${i}\r\n`;
  if (chunkBytes === undefined) return `${start}Content-Length: ${bodyBytes}\r\n\r\n${'x'.repeat(bodyBytes)}`;
  const chunks: string[] = [];
  for (let left = bodyBytes; left > 0; left -= chunkBytes) {
    const size = Math.min(left, chunkBytes);
    chunks.push(`${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`);
  }
  return `${start}transfer-encoding: chunked\r\n\r\n${chunks.join('')}0\r\nx-trailer: y\r\n\r\n`;
}

function read(pieces: readonly Buffer[]): readonly WholeMessage[] {
  const messages: WholeMessage[] = [];
  const reader = new MessageReader((message) => messages.push(message));
  for (const piece of pieces) reader.push(piece);
  return messages;
}

test('every message is counted once, with its start line and the size of its body, wherever the bytes are cut', () => {
  const sent = fc.record({
    bodyBytes: fc.nat({ max: 300 }),
    chunkBytes: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(sent, { maxLength: 5 }), fc.array(fc.nat({ max: 2000 })), (messages, cuts) => {
      const bytes = Buffer.from(messages.map(printed).join(''));
      const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const pieces = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter((piece) => piece.length > 0);
      expect(read(pieces)).toEqual(
        messages.map(({ bodyBytes }, i) => ({ startLine: `HTTP/1.1 200 Answer ${i}`, bodyBytes })),
      );
    }),
  );
});

test('a message that says nothing of its length is refused: what is measured then is not what was meant to be', () => {
  expect(() => read([Buffer.from('HTTP/1.1 200 OK\r\n\r\n')])).toThrow('nothing of its length');
  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n';
  expect(() => read([Buffer.from(chunked)])).toThrow('not the size of a chunk');
});
