// Cuts a byte stream into lines, with a bound on what one line may hold in memory.

export interface LineReader {
  /** Calls `line` for each line that the chunk completes. `false`: a line is longer than the bound; nothing more is read. */
  push(chunk: Buffer): boolean;
}

const LINE_FEED = 0x0a;

export function lineReader(lineBytesMax: number, line: (text: string) => void): LineReader {
  let parts: Buffer[] = [];
  let partBytes = 0;
  const take = (part: Buffer) => {
    parts.push(part);
    partBytes += part.length;
    return partBytes <= lineBytesMax;
  };
  const complete = () => {
    const text = Buffer.concat(parts).toString('utf8').trim();
    parts = [];
    partBytes = 0;
    if (text !== '') line(text);
  };
  return {
    push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
        if (!take(chunk.subarray(start, end))) return false;
        complete();
        start = end + 1;
      }
      return take(chunk.subarray(start));
    },
  };
}
