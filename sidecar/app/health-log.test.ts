// What is told of an answer, and what is not.
import { expect, test } from 'vitest';
import { createLog } from '../../kit/log.ts';
import { HealthLog } from './health-log.ts';

const REFUSED = 'it takes no connections';
const ILL = 'GET /healthz was answered with 500';
const GOOD = undefined;

function linesAfter(...problems: readonly (string | undefined)[]): readonly string[] {
  const lines: string[] = [];
  const write = (line: string) => {
    const { level, message, why } = JSON.parse(line);
    lines.push(why === undefined ? `${level} ${message}` : `${level} ${message}: ${why}`);
  };
  const log = createLog({ level: 'info', format: 'json', write, now: () => 0 });
  const health = new HealthLog(log, { healthy: 'well', notYet: 'not yet', unhealthy: 'ill' });
  for (const problem of problems) health.noted(problem);
  return lines;
}

test('each turn is told, and no answer like the one before', () => {
  expect(linesAfter(GOOD, GOOD, ILL, ILL, GOOD, GOOD, ILL)).toEqual([
    ...['info well', `warn ill: ${ILL}`, 'info well', `warn ill: ${ILL}`],
  ]);
});

test('an app that starts is no reason to warn', () => {
  expect(linesAfter(REFUSED, REFUSED, GOOD)).toEqual([`info not yet: ${REFUSED}`, 'info well']);
});

test('a new reason is told even where it was not healthy before, once', () => {
  expect(linesAfter(REFUSED, ILL, REFUSED, ILL)).toEqual([`info not yet: ${REFUSED}`, `info not yet: ${ILL}`]);
  expect(linesAfter(GOOD, ILL, REFUSED, ILL)).toEqual(['info well', `warn ill: ${ILL}`, `warn ill: ${REFUSED}`]);
});

test('ever other reasons do not fill the log, and a turn is told after them', () => {
  const ever = Array.from({ length: 100 }, (_, i) => `problem ${i}`);
  const lines = linesAfter(...ever, GOOD, ILL);
  expect(lines).toHaveLength(8 + 2);
  expect(lines.slice(-2)).toEqual(['info well', `warn ill: ${ILL}`]);
});
