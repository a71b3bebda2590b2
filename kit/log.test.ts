// Log lines: one event is one line, whatever bytes are in it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLog, type LogFields, type LogFormat, type LogLevel, silentLog } from './log.ts';

function logTo(lines: string[], format: LogFormat, level: LogLevel = 'debug') {
  return createLog({ level, format, write: (line) => lines.push(line), now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) });
}

test('as JSON a line has the time, the level, the message and the fields', () => {
  const lines: string[] = [];
  logTo(lines, 'json').warn('app is slow', { app: 'web', afterMs: 7, known: undefined });
  expect(lines).toEqual([
    '{"time":"2026-01-02T03:04:05.678Z","level":"warn","message":"app is slow","app":"web","afterMs":7}\n',
  ]);
});

test('as text a line has the time of day', () => {
  const lines: string[] = [];
  logTo(lines, 'text').info('listening', { port: 3500, host: undefined, tls: true });
  expect(lines).toEqual(['03:04:05.678 INFO  listening port=3500 tls=true\n']);
});

test('levels below the threshold write nothing', () => {
  const lines: string[] = [];
  const log = logTo(lines, 'text', 'warn').with({ app: 'web' });
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  expect(lines.map((line) => line.slice(13))).toEqual(['WARN  c app=web\n', 'ERROR d app=web\n']);
});

test('bound fields are in each line, and a line may say one of them anew', () => {
  const lines: string[] = [];
  const log = logTo(lines, 'text').with({ app: 'web', zone: 'a' }).with({ zone: 'b' });
  log.info('x');
  log.info('y', { app: 'other' });
  expect(lines.map((line) => line.slice(19))).toEqual(['x app=web zone=b\n', 'y app=other zone=b\n']);
});

describe('hostile text', () => {
  const hostile = fc.string({
    unit: fc.constantFrom('\n', '\r', '\0', '\x1b', '\x7f', '\x9b', '\u2028', '"', '\\', 'é'),
  });

  test.each(['json', 'text'] as const)('stays in its line: %s', (format) => {
    fc.assert(
      fc.property(hostile, hostile, (message, value) => {
        const lines: string[] = [];
        logTo(lines, format).info(message, { value });
        expect(lines).toHaveLength(1);
        expect(lines[0]?.slice(0, -1)).not.toMatch(/[\x00-\x1f]/);
        expect(lines[0]?.endsWith('\n')).toBe(true);
      }),
    );
  });

  test('as text it cannot steer the terminal', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const lines: string[] = [];
        logTo(lines, 'text').info(text, { text });
        expect(lines[0]?.trimEnd()).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
      }),
    );
  });

  test('as JSON it is read back as it was', () => {
    fc.assert(
      fc.property(hostile, hostile, (message, value) => {
        const lines: string[] = [];
        logTo(lines, 'json').info(message, { value });
        expect(JSON.parse(lines[0] ?? '')).toMatchObject({ message, value });
      }),
    );
  });
});

test('a field cannot pass for the time, the level or the message of a line', () => {
  const lines: string[] = [];
  const fields: LogFields = { level: 'debug', time: 'never', message: 'all is well' };
  logTo(lines, 'json').error('it broke', fields);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'error',
    message: 'it broke',
    time: '2026-01-02T03:04:05.678Z',
  });
});

test('the silent log stays silent whatever is bound to it', () => {
  expect(silentLog.with({ app: 'web' })).toBe(silentLog);
  expect(silentLog.error('x')).toBeUndefined();
});
