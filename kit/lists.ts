// Lists cut into parts.

/** Those that share a key together, in the order of the keys. */
export function groups<T>(all: readonly T[], keyOf: (one: T) => string): readonly (readonly T[])[] {
  const byKey = Map.groupBy(all, keyOf);
  return [...byKey.keys()].sort().map((key) => byKey.get(key) ?? []);
}

/** Parts of that size, but for the last one. */
export function chunks<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
