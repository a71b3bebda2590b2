// Policies of resilience by the operator's feed: an edit counts without a restart, what is the same changes nothing, and one that
// cannot be read leaves what it said before.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EMPTY_CONFIG, type TestFeed, testFeed } from '../testing/feed.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { headerOf, send, to } from './testing.ts';
import { about, type Instance, instance, SOON, type Spec } from './testing-resiliency.ts';

let mesh: Mesh;
let web: MeshSidecar;
let one: Instance;
let feed: TestFeed;

const often: Spec = about('one', { retry: 'often' }, { retries: { often: { ...SOON, maxRetries: 2 } } });
const breaking: Spec = about(
  'one',
  { circuitBreaker: 'soon' },
  { circuitBreakers: { soon: { consecutiveFailures: 1 } } },
);

function says(...specs: readonly Spec[]): void {
  const resources = specs.map((spec, at) => ({
    ...{ kind: 'Resiliency', namespace: 'default', name: `r-${at}`, generation: 1, createdMs: at, spec },
  }));
  feed.config.set({ ...EMPTY_CONFIG, resources });
}

beforeAll(async () => {
  mesh = await startMesh();
  feed = testFeed();
  says();
  web = await mesh.start('web', { feed });
  one = await instance(mesh, 'one');
});
afterEach(() => {
  says();
  one.reset();
});
afterAll(() => mesh.close());

const call = () => send(web.sidecar.ports.http, { path: to('one', '/x') });

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
