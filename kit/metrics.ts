// Counters and histograms for a hot path: numbers in typed arrays, labels resolved to a slot once, text made on demand.
// Rendered as Prometheus reads it (exposition format 0.0.4).

/** Beyond it, new label sets share one slot whose labels all read "other": peers and statuses must not eat the memory. */
const LABEL_SETS_MAX = 2000;

/** One metric with all its label sets. */
export interface Family {
  render(lines: string[]): void;
}

/** Label sets of one family, each with a number by which its values are found. */
class Slots {
  readonly labels: readonly string[];
  readonly #byKey = new Map<string, number>();
  readonly #rendered: string[] = [];

  constructor(labels: readonly string[]) {
    this.labels = labels;
  }

  get count(): number {
    return this.#rendered.length;
  }

  slot(values: readonly string[], isLastKept = false): number {
    const key = values.join('\u0000');
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const openEnded = isLastKept ? values.length - 1 : values.length;
    if (this.#rendered.length >= LABEL_SETS_MAX && values.some((value, at) => at < openEnded && value !== 'other')) {
      return this.slot(
        values.map((value, at) => (at < openEnded ? 'other' : value)),
        isLastKept,
      );
    }
    const slot = this.#rendered.length;
    this.#byKey.set(key, slot);
    this.#rendered.push(this.labels.map((label, i) => `${label}="${escapeLabel(values[i] ?? '')}"`).join(','));
    return slot;
  }

  /** `{a="x",b="y"}`, with one more label if asked for. */
  text(slot: number, extra = ''): string {
    const inner = [this.#rendered[slot] ?? '', extra].filter((part) => part !== '').join(',');
    return inner === '' ? '' : `{${inner}}`;
  }
}

/** As Prometheus spells it. */
function numberText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '+Inf' : String(value);
}

/** A number that only grows (counter) or that moves both ways (gauge). */
export class Numbers implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #type: 'counter' | 'gauge';
  readonly #slots: Slots;
  #values = new Float64Array(8);

  constructor(type: 'counter' | 'gauge', name: string, help: string, labels: readonly string[] = []) {
    this.#type = type;
    this.#name = name;
    this.#help = help;
    this.#slots = new Slots(labels);
  }

  slot(...values: string[]): number {
    const slot = this.#slots.slot(values);
    if (slot >= this.#values.length) this.#values = grown(this.#values, this.#values.length * 2);
    return slot;
  }

  add(slot: number, amount: number): void {
    this.#values[slot] = (this.#values[slot] ?? 0) + amount;
  }

  set(slot: number, value: number): void {
    this.#values[slot] = value;
  }

  render(lines: string[]): void {
    lines.push(`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} ${this.#type}`);
    for (let slot = 0; slot < this.#slots.count; slot++) {
      lines.push(`${this.#name}${this.#slots.text(slot)} ${numberText(this.#values[slot] ?? 0)}`);
    }
  }
}

/** Tells one number by its labels; of equal labels the numbers are joined. */
export type Put = (value: number, ...labels: string[]) => void;

export interface ReadingOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** The last label is one of a few, and stays as it is when others become "other". */
  readonly isLastKept?: boolean;
  /** What is told of equal labels; their sum, if left out. */
  readonly join?: (a: number, b: number) => number;
}

/** A gauge that is read off when somebody asks, and costs nothing otherwise. What is not put is gone. */
export class Reading implements Family {
  readonly #options: ReadingOptions;
  readonly #read: (put: Put) => void;

  constructor(options: ReadingOptions, read: (put: Put) => void) {
    this.#options = options;
    this.#read = read;
  }

  render(lines: string[]): void {
    const { name, help, labels, isLastKept = false, join = (a, b) => a + b } = this.#options;
    const values = new Map<number, number>();
    const slots = new Slots(labels);
    this.#read((value, ...of) => {
      const slot = slots.slot(of, isLastKept);
      const before = values.get(slot);
      values.set(slot, before === undefined ? value : join(before, value));
    });
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
    for (const [slot, value] of values) lines.push(`${name}${slots.text(slot)} ${value}`);
  }
}

export class Histogram implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #slots: Slots;
  readonly #bounds: readonly number[];
  /** Per slot: a count for each bound, one beyond them all, and the sum. */
  #values = new Float64Array(0);

  constructor(name: string, help: string, labels: readonly string[], bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#slots = new Slots(labels);
    this.#bounds = bounds;
  }

  slot(...values: string[]): number {
    const slot = this.#slots.slot(values);
    const needed = (slot + 1) * this.#width;
    if (needed > this.#values.length) this.#values = grown(this.#values, Math.max(needed, this.#values.length * 2));
    return slot;
  }

  observe(slot: number, value: number): void {
    const start = slot * this.#width;
    const bucket = this.#bounds.findIndex((bound) => value <= bound);
    const at = start + (bucket < 0 ? this.#bounds.length : bucket);
    const sum = start + this.#width - 1;
    this.#values[at] = (this.#values[at] ?? 0) + 1;
    this.#values[sum] = (this.#values[sum] ?? 0) + value;
  }

  render(lines: string[]): void {
    lines.push(`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} histogram`);
    for (let slot = 0; slot < this.#slots.count; slot++) this.#renderSlot(slot, lines);
  }

  #renderSlot(slot: number, lines: string[]): void {
    const start = slot * this.#width;
    let count = 0;
    for (const [i, bound] of [...this.#bounds, '+Inf'].entries()) {
      count += this.#values[start + i] ?? 0;
      lines.push(`${this.#name}_bucket${this.#slots.text(slot, `le="${bound}"`)} ${count}`);
    }
    lines.push(`${this.#name}_sum${this.#slots.text(slot)} ${this.#values[start + this.#width - 1] ?? 0}`);
    lines.push(`${this.#name}_count${this.#slots.text(slot)} ${count}`);
  }

  get #width(): number {
    return this.#bounds.length + 2;
  }
}

/** Of what `renderMetrics` gives. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function renderMetrics(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const family of families) family.render(lines);
  return `${lines.join('\n')}\n`;
}

function grown(values: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length);
  larger.set(values);
  return larger;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** What stood there before it was written between quotes. */
export function unescapeLabel(text: string): string {
  return text.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
}
