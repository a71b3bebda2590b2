// Amounts as people write them: sizes in Kubernetes quantity syntax ("4Mi"), durations as Go writes them ("1m30s").
import { err, ok, type Result } from './result.ts';
import { excerpt } from './text.ts';

const SIZE_SUFFIXES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40],
]);

/** Bytes from a quantity: an integer or decimal with an optional suffix. Fractions of a byte are rounded up. */
export function parseSize(text: string): Result<number> {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text.trim());
  const unit = SIZE_SUFFIXES.get(match?.[2] ?? '?');
  if (!match || unit === undefined) {
    return err(`"${excerpt(text)}" is not a size; write bytes with an optional suffix, such as 4Mi, 512Ki or 10M`);
  }
  const bytes = Math.ceil(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? ok(bytes) : err(`"${excerpt(text)}" is too large a size`);
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds from a duration such as "500ms", "30s" or "1h30m". */
export function parseDuration(text: string): Result<number> {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text.trim()) {
    return err(`"${excerpt(text)}" is not a duration; write a number and a unit, such as 500ms, 30s or 1h30m`);
  }
  const ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (DURATION_UNITS_MS[unit ?? ''] ?? 0), 0);
  return Number.isFinite(ms) ? ok(ms) : err(`"${excerpt(text)}" is too long a duration`);
}
