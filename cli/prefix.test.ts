// Output with a prefix: whole lines, whole characters, nothing lost and nobody held up.
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { copyWithPrefix, linePrefix } from './prefix.ts';

/** What comes out when these chunks go in. */
async function copied(chunks: readonly (string | Buffer)[], prefix = '> '): Promise<string> {
  const source = new PassThrough();
  const sink = new PassThrough();
  const ended = new Promise<void>((resolve) => copyWithPrefix(source, sink, prefix, resolve));
  const text = sink.toArray();
  for (const chunk of chunks) source.write(chunk);
  source.end();
  await ended;
  sink.end();
  return Buffer.concat(await text).toString();
}

test.each([
  [['a\nb\n'], '> a\n> b\n'],
  [['a', 'b\nc', '\n'], '> ab\n> c\n'],
  [['no newline at the end'], '> no newline at the end\n'],
  [['\n\n'], '> \n> \n'],
  [[], ''],
])('%j is printed as %j', async (chunks, printed) => {
  expect(await copied(chunks)).toBe(printed);
});

test('nothing is lost and no character is torn, however the bytes are cut', async () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 9 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll('\n', '')),
        { minLength: 1 },
      ),
      cuts,
      async (lines, sizes) => {
        let rest = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const chunks: Buffer[] = [];
        for (const size of sizes) {
          chunks.push(rest.subarray(0, size));
          rest = rest.subarray(size);
        }
        expect(await copied([...chunks, rest])).toBe(lines.map((line) => `> ${line}\n`).join(''));
      },
    ),
  );
});

test('a line that never ends is passed on in pieces', async () => {
  const source = new PassThrough();
  const sink = new PassThrough();
  copyWithPrefix(source, sink, '> ', () => undefined);
  for (let sent = 0; sent < 100 * 1024; sent += 1024) source.write('x'.repeat(1024));
  const [piece] = await once(sink, 'data');
  expect(piece.length).toBe(64 * 1024 + '> \n'.length);
});

test('a slow reader slows the writer down, and a reader that is gone does not hold it up', async () => {
  const source = new PassThrough();
  const written: (() => void)[] = [];
  const sink = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => written.push(done) });
  const ended = new Promise<void>((resolve) => copyWithPrefix(source, sink, '> ', resolve));
  const paused = once(source, 'pause');
  source.write('a\n');
  await paused;
  sink.destroy();
  source.write('b\n');
  source.end();
  await ended;
});

test('a prefix is padded, and coloured only when asked', () => {
  expect(linePrefix('web', 6, undefined)).toBe('web    │ ');
  expect(linePrefix('web', 6, 0)).toBe('\x1b[36mweb    │ \x1b[0m');
});
