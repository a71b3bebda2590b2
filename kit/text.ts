// Text that came from outside, made fit for a log line or a message: it must not be able to write lines of its own,
// steer a terminal, or drown what is said about it. And which known name a misspelt one may have meant.

/** The text with control characters and Unicode line ends escaped as in JSON. */
export function printable(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Bad input, to be quoted in a message: printable, and cut where it is long. */
export function excerpt(text: string, charactersMax = 80): string {
  return printable(text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text);
}

/** Whether somebody who wrote `text` may have meant `name`. In a name of three letters, two slips are another name. */
export function isSlipOf(name: string, text: string): boolean {
  return distance(name, text) <= (text.length <= 4 ? 1 : 2);
}

/** The known name that somebody who wrote `text` most likely meant. */
export function nearest(text: string, known: readonly string[]): string | undefined {
  const close = known.filter((name) => isSlipOf(name, text));
  return close.sort((a, b) => distance(a, text) - distance(b, text))[0];
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, one each. */
export function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(at(last, j) + 1, at(row, j - 1) + 1, substituted);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (i > 1 && j > 1 && isSwap) least = Math.min(least, at(beforeLast, j - 2) + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: readonly number[], i: number): number {
  return row[i] ?? 0;
}
