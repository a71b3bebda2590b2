// When a replica is of use, and what it says when it is not.
import { expect, test } from 'vitest';
import { readinessPage, STALE_MAX_MS, unready } from './health.ts';
import { memoryStore, memoryStores } from './testing-stores.ts';

const well = () => undefined;

test('a replica is ready when all is listed and fresh, and its parts are', () => {
  const reasons = unready(memoryStores(), [well]);
  expect(reasons).toEqual([]);
  expect(readinessPage(reasons)).toEqual({ status: 200, body: 'ready\n' });
});

test('a kind that has not been listed is named', () => {
  const [trustBundles, cronJobs] = [memoryStore(), memoryStore()];
  for (const store of [trustBundles, cronJobs]) store.pretend({ version: 0 });
  const workloads = [memoryStore(), memoryStore(), memoryStore(), memoryStore(), cronJobs];
  expect(unready(memoryStores({ trustBundles, workloads }), [])).toEqual([
    'the trust-bundles of the cluster have not been listed yet',
    'the cronjobs of the cluster have not been listed yet',
  ]);
});

test('what was not heard of for minutes is stale, and no sooner', () => {
  const pods = memoryStore();
  pods.pretend({ staleMs: STALE_MAX_MS });
  expect(unready(memoryStores({ pods }), [])).toEqual([]);
  pods.pretend({ staleMs: STALE_MAX_MS + 1000 });
  expect(unready(memoryStores({ pods }), [])).toEqual(['nothing has been heard of pods from the API server for 301 s']);
});

test('every part that is not ready has its say', () => {
  const reasons = unready(memoryStores(), [() => 'no certificate', well, () => 'no caBundle']);
  expect(readinessPage(reasons)).toEqual({ status: 503, body: 'no certificate\nno caBundle\n' });
});
