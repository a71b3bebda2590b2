// What a kind's objects in memory promise whoever compares versions.
import { expect, test } from 'vitest';
import { silentLog } from '../kit/log.ts';
import { createTable } from './table.ts';
import type { KubernetesObject } from './types.ts';

const object = (resourceVersion: string): KubernetesObject => ({ metadata: { name: 'a', resourceVersion } });

test('the version is the highest that was seen, whatever order things come in', () => {
  const table = createTable((kept: KubernetesObject) => kept, silentLog);
  table.reset([object('3')], '5');
  expect(table.version()).toBe(5);
  table.put(object('9'));
  table.reached('7');
  expect(table.version()).toBe(9);
});

test('a list with a smaller version is that of a cluster that was restored, and is believed', () => {
  const table = createTable((kept: KubernetesObject) => kept, silentLog);
  table.reset([object('900')], '900');
  table.reset([object('400')], '410');
  expect(table.version()).toBe(410);
});
