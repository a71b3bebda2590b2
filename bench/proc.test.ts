// What is read from /proc: the texts as the kernel writes them, and this very process.
import { pid, platform } from 'node:process';
import { expect, test } from 'vitest';
import { cpuNs, memory, parseSchedstat, parseSmapsRollup } from './proc.ts';

const SMAPS_ROLLUP = `55d0c8a5d000-7ffd3c5f1000 ---p 00000000 00:00 0                          [rollup]
Rss:               46120 kB
Pss:               11264 kB
Pss_Anon:           9216 kB
Private_Dirty:      9312 kB
Anonymous:          9216 kB
AnonHugePages:         0 kB
`;

test('processor time is the first number of schedstat', () => {
  expect(parseSchedstat('123456789 4567 89\n')).toBe(123_456_789);
});

test('a schedstat of another shape is refused and not read as zero', () => {
  for (const text of ['', '123\n', 'a b c\n']) expect(() => parseSchedstat(text)).toThrow('not a schedstat');
});

test('memory is what is resident, and what of it is anonymous: neither Pss_Anon nor huge pages', () => {
  expect(parseSmapsRollup(SMAPS_ROLLUP)).toEqual({ rssBytes: 46_120 * 1024, anonymousBytes: 9216 * 1024 });
});

test('a smaps_rollup without a field is refused', () => {
  expect(() => parseSmapsRollup('Rss: 1 kB\n')).toThrow('Anonymous');
});

test.runIf(platform === 'linux')('of a live process both are told', () => {
  const before = cpuNs(pid);
  for (let i = 0; cpuNs(pid) === before && i < 1e6; i++);
  expect(cpuNs(pid)).toBeGreaterThan(before);
  const { rssBytes, anonymousBytes } = memory(pid);
  expect(anonymousBytes).toBeGreaterThan(0);
  expect(rssBytes).toBeGreaterThan(anonymousBytes);
});
