// Policies of resilience by the operator's feed: an edit counts without a restart, what is the same changes nothing, and one that
// cannot be read leaves what it said before.
import { beforeEach, expect, test } from 'vitest';
import { testFeed } from '../testing/feed.ts';
import { headerOf } from './testing.ts';
import { about, fed, SOON, type Spec, webForAll } from './testing-resiliency.ts';

const feed = testFeed();
const says = (...specs: readonly Spec[]) => feed.config.set(fed(...specs));
beforeEach(() => says());
const web = webForAll({ feed });
const one = web.instance('one');
const call = () => web.call('one');

const often: Spec = about('one', { retry: 'often' }, { retries: { often: { ...SOON, maxRetries: 2 } } });
const breaking: Spec = about(
  'one',
  { circuitBreaker: 'soon' },
  { circuitBreakers: { soon: { consecutiveFailures: 1 } } },
);

test('an edit counts from the next call on', async () => {
  says(often);
  one.answers = [500, 500];
  expect((await call()).status).toBe(200);
  says();
  one.answers = [500];
  expect((await call()).status).toBe(500);
});

test('a snapshot that says the same of them leaves an open breaker open', async () => {
  says(breaking);
  one.answers = [500];
  expect((await call()).status).toBe(500);
  says({ ...breaking });
  expect(headerOf(await call(), 'invoke-fault')).toBe('breaker-open');
});

test('one that cannot be read leaves what it said before', async () => {
  says(often);
  says({ policies: { retries: { often: { maxRetries: 'many' } } } });
  one.answers = [500, 500];
  expect((await call()).status).toBe(200);
});

test('of two that contradict one another the older one holds', async () => {
  says(often, breaking);
  one.answers = [500, 500];
  expect((await call()).status).toBe(200);
  expect((await call()).status).toBe(200);
});
