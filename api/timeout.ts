// How much time a caller gives: the grammar of gRPC's `grpc-timeout`, which `invoke-timeout` shares.
// Source: gRPC over HTTP/2, "Timeout": at most eight digits and one unit letter.
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds, fractions included. */
export function parseTimeout(text: string): Result<number> {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  const unitMs = UNIT_MS[match?.[2] ?? ''];
  if (!match || unitMs === undefined) {
    return err(
      `"${excerpt(text, 20)}" is not a timeout; write up to eight digits and one of H M S m u n, such as 500m or 2S`,
    );
  }
  return ok(Number(match[1]) * unitMs);
}

/** The shortest spelling that fits eight digits; never longer than what is left, and 1n rather than nothing. */
export function printTimeout(leftMs: number): string {
  if (leftMs <= 0) return '1n';
  for (const [unit, unitMs] of [
    ['n', 1e-6],
    ['u', 1e-3],
    ['m', 1],
    ['S', 1000],
    ['M', 60_000],
  ] as const) {
    const amount = Math.floor(leftMs / unitMs);
    if (amount < 1e8) return `${Math.max(amount, 1)}${unit}`;
  }
  return `${Math.min(Math.floor(leftMs / 3_600_000), 99_999_999)}H`;
}
