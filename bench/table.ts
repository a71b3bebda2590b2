// Tables in plain text: the first column to the left, the others to the right.

export type Row = readonly string[];

export function renderTable(rows: readonly Row[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: Row) =>
    widths.map((width, i) => (i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

/** A dash for what is not known. */
export function cell(value: number | null | undefined, digits = 0): string {
  return value === undefined || value === null || Number.isNaN(value) ? '-' : value.toFixed(digits);
}
