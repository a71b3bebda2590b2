// Structured log lines, as JSON for machines or as text for a terminal. A level that is off costs one comparison.
import { printable } from './text.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Whether debug is written: where its fields cost something to put together. */
  readonly isDebug: boolean;
  /** A log whose lines all carry these fields too. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one whole line, newline included. */
  readonly write: (line: string) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export function createLog(options: LogOptions, bound: LogFields = {}): Log {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const print = options.format === 'json' ? jsonLine : textLine;
  const at = (level: LogLevel) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return () => undefined;
    return (message: string, fields?: LogFields) =>
      options.write(print(new Date(options.now()).toISOString(), level, message, { ...bound, ...fields }));
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    isDebug: threshold === LOG_LEVELS.indexOf('debug'),
    with: (fields) => createLog(options, { ...bound, ...fields }),
  };
}

/** For parts whose lines nobody wants, in tests. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  isDebug: false,
  with: () => silentLog,
};

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const line = { time, level, message };
  // Said twice: first for the order, last because no field may pass for one of these.
  return `${JSON.stringify({ ...line, ...fields, ...line })}\n`;
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${quoted(printable(String(value)))}`);
  return `${time.slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${printable(message)}${pairs.join('')}\n`;
}

/** No value may pass for two fields. */
function quoted(text: string): string {
  return /[\s="]/.test(text) ? JSON.stringify(text) : text;
}
