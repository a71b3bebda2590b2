// The ledger as a picture: for each workload, what every pair cost when it was recorded last. Shorter bars are better, but for calls
// a second.
import type { LedgerEntry } from './ledger.ts';

interface Column {
  readonly title: string;
  readonly of: (line: LedgerEntry) => number | null;
}

const COLUMNS: readonly Column[] = [
  { title: 'CPU us per call', of: (line) => line.cpuMicrosPerCall },
  { title: 'calls a second', of: (line) => line.callsPerSecond },
  { title: 'added p50 us', of: ({ addedMicros }) => addedMicros.p50 },
  { title: 'added p99 us', of: ({ addedMicros }) => addedMicros.p99 },
  { title: 'RSS MB', of: (line) => line.rssMb },
];

/** Ours stands out; who the others are is written beside their bars. */
const [OURS, OTHERS] = ['#1f6feb', '#9aa4b2'];
const [LABEL_PX, COLUMN_PX, BAR_PX, NUMBER_PX] = [80, 200, 120, 60];
const [LINE_PX, HEAD_PX, GAP_PX] = [16, 40, 14];

export function drawLedger(lines: readonly LedgerEntry[]): string {
  const width = LABEL_PX + COLUMNS.length * COLUMN_PX;
  let y = HEAD_PX;
  const parts = COLUMNS.map(({ title }, i) => text(LABEL_PX + i * COLUMN_PX, HEAD_PX / 2, title, 'bold'));
  for (const [workload, all] of Map.groupBy(lines, (line) => line.workload)) {
    const group = latestOf(all);
    parts.push(text(0, y, `${workload} (${group[0]?.commit}, ${group[0]?.at.slice(0, 10)})`, 'bold'));
    for (const line of group) {
      y += LINE_PX;
      parts.push(text(0, y, line.pair), ...COLUMNS.flatMap((column, i) => bar(column, i, y, line, group)));
    }
    y += LINE_PX + GAP_PX;
  }
  const frame = `xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" font-family="sans-serif" font-size="12"`;
  return `<svg ${frame}>\n<title>What sidecars cost, by workload</title>\n<rect width="100%" height="100%" fill="white"/>\n${parts.join('\n')}\n</svg>\n`;
}

/** Of the last run that recorded this workload, in the order of its lines. */
function latestOf(lines: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const last = lines.at(-1)?.at;
  return lines.filter(({ at }) => at === last);
}

/** Its length is the share of the longest in its group. Nothing is drawn of what is not known, or not above nothing. */
function bar({ of }: Column, index: number, y: number, line: LedgerEntry, group: readonly LedgerEntry[]): string[] {
  const value = of(line);
  if (value === null) return [];
  const longest = Math.max(...group.map((other) => of(other) ?? 0));
  const width = value > 0 ? (value / longest) * BAR_PX : 0;
  const x = LABEL_PX + index * COLUMN_PX;
  const fill = line.pair === 'invoke' ? OURS : OTHERS;
  const box = `<rect x="${x}" y="${y - 10}" width="${width.toFixed(1)}" height="11" fill="${fill}"/>`;
  return [box, text(x + Math.min(width, COLUMN_PX - NUMBER_PX) + 4, y, String(value))];
}

function text(x: number, y: number, words: string, weight = 'normal'): string {
  const safe = words.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" font-weight="${weight}">${safe}</text>`;
}
