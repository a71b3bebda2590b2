// Several programs on one terminal: each line says whose it is.
import type { Readable, Writable } from 'node:stream';

/** A line longer than this is broken, so that a program that never ends its line costs no memory. */
const LINE_BYTES_MAX = 64 * 1024;
const NEWLINE = 0x0a;

/**
 * Copies `source` to `sink` with `prefix` before each line, at the pace of the sink, whole lines at a time so that
 * several sources may share one sink. Calls `ended` once everything is handed to the sink.
 */
export function copyWithPrefix(source: Readable, sink: Writable, prefix: string, ended: () => void): void {
  const head = Buffer.from(prefix);
  let partial: Buffer[] = [];
  let partialBytes = 0;

  function line(end: Buffer): void {
    const pieces = [head, ...partial, end];
    partial = [];
    partialBytes = 0;
    write(source, sink, Buffer.concat(pieces));
  }

  source.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      line(chunk.subarray(start, at + 1));
      start = at + 1;
    }
    if (start === chunk.length) return;
    partial.push(chunk.subarray(start));
    partialBytes += chunk.length - start;
    if (partialBytes >= LINE_BYTES_MAX) line(Buffer.from('\n'));
  });
  source.once('close', () => {
    if (partialBytes > 0) line(Buffer.from('\n'));
    ended();
  });
}

/** A sink that is gone takes nothing more; the program that writes must not stall for it. */
function write(source: Readable, sink: Writable, bytes: Buffer): void {
  if (sink.destroyed || sink.write(bytes) || source.isPaused()) return;
  source.pause();
  const resume = () => {
    sink.off('drain', resume);
    sink.off('close', resume);
    source.resume();
  };
  sink.on('drain', resume);
  sink.on('close', resume);
}

const COLOURS = [36, 33, 35, 32, 34] as const;

/** `web    │ `; coloured where people read it. */
export function linePrefix(name: string, width: number, colour: number | undefined): string {
  const label = `${name.padEnd(width)} │ `;
  return colour === undefined ? label : `\x1b[${COLOURS[colour % COLOURS.length]}m${label}\x1b[0m`;
}
