// What is warmed up before a workload, and for which others that does.
import { expect, test } from 'vitest';
import { kindOf, type LoadWorkload, WORKLOADS, warmUpOf } from './workloads.ts';

const named = (name: string): LoadWorkload => {
  const workload = WORKLOADS.find((one) => one.name === name);
  if (workload?.kind !== 'load') throw new Error(`there is no load ${name}`);
  return workload;
};

test('a warm-up is of the workload’s own calls, as fast as they go, and nothing beside them', () => {
  const { shape, load } = warmUpOf(named('http-1k-at-200-beside-200-stopped'));
  const calls = { kind: 'http', requestBytes: 1024, answerBytes: 1024, perSecond: 0 };
  expect({ shape, load }).toMatchObject({ shape: 'http', load: { ...calls, stoppedReaders: 0, hasBulk: false } });
});

test('one does for every pace, and for whatever is beside the calls', () => {
  const kinds = ['at-1000', 'saturated', 'at-1000-beside-1000-idle', 'at-200-beside-200-stopped'];
  expect(new Set(kinds.map((kind) => kindOf(named(`http-1k-${kind}`)))).size).toBe(1);
});

test('calls of other sizes, ways or protocols have one of their own', () => {
  const kinds = ['http-1k-at-1000', 'http-64k-at-200', 'http-1m-up-at-20', 'http-1m-down-at-20', 'grpc-1k-at-1000'];
  expect(new Set(kinds.map((kind) => kindOf(named(kind)))).size).toBe(kinds.length);
});
