// When somebody who was refused may come again, for the header that says so: in whole seconds, and never at once.

/** Spread a little by `random`, so that those who were refused together do not come back together. */
export function retryAfterSec(waitMs: number, random: () => number): number {
  return Math.max(1, Math.ceil((waitMs * (1 + random() * 0.25)) / 1000));
}
