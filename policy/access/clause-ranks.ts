// Which clauses are of which rule. Clauses come in the order of their rules.

export interface Ranked {
  /** By clause: its rule. */
  readonly ranks: readonly number[];
  /** By rule: the first of its clauses. */
  readonly startOf: ReadonlyMap<number, number>;
}

export function rankedClauses(clauses: readonly { readonly rank: number }[]): Ranked {
  const startOf = new Map<number, number>();
  for (const [clause, { rank }] of clauses.entries()) if (!startOf.has(rank)) startOf.set(rank, clause);
  return { ranks: clauses.map(({ rank }) => rank), startOf };
}
