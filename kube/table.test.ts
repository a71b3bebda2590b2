// A table tells of what is different, however often it is told the same.
import { expect, test } from 'vitest';
import { silentLog } from '../kit/log.ts';
import { createTable } from './table.ts';
import type { KubernetesObject } from './types.ts';

const object = (name: string, resourceVersion: string) => ({ metadata: { name, resourceVersion } });

function table() {
  const heard: string[] = [];
  const version = (seen: KubernetesObject | undefined) => seen?.metadata?.resourceVersion ?? '-';
  const made = createTable<KubernetesObject>((whole) => whole, silentLog);
  made.changed((key, now, before) => heard.push(`${key} ${version(before)}>${version(now)}`));
  return { ...made, heard };
}

test('an event that is repeated, by a watch or a list, is told once', () => {
  const { put, drop, reset, heard } = table();
  put(object('a', '5'));
  put(object('a', '5'));
  reset([object('a', '5')], '6');
  drop(object('a', '7'));
  drop(object('a', '7'));
  expect(heard).toEqual(['a ->5', 'a 5>-']);
});

test('listeners see every object of a list when they hear of the first', () => {
  const { reset, changed, all, version } = table();
  const seen: string[] = [];
  changed((key) => seen.push(`${key} of ${all().length} at ${version()}`));
  reset([object('a', '5'), object('b', '7')], '9');
  expect(seen).toEqual(['a of 2 at 9', 'b of 2 at 9']);
});

test('the version is the highest that was seen', () => {
  const { put, reached, version } = table();
  expect(version()).toBe(0);
  put(object('a', '10'));
  reached('9');
  expect(version()).toBe(10);
  reached('not a number');
  expect(version()).toBe(10);
});

test('a list with a smaller version is that of a cluster that was restored, and is believed', () => {
  const { reset, version, heard } = table();
  reset([object('a', '900')], '900');
  reset([object('a', '400')], '410');
  expect(version()).toBe(410);
  expect(heard).toEqual(['a ->900', 'a 900>400']);
});
