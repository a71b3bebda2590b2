// Limits out of a folder of files, as on a laptop: they count as they are written, and of two that conflict neither is taken.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { derived, type Snapshot } from '../../kit/snapshot.ts';
import { loadResources } from '../resources/load.ts';
import { type WatchedResources, watchResources } from '../resources/watch.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { headerOf, send, to } from './testing.ts';
import { type Instance, instance } from './testing-resiliency.ts';

let mesh: Mesh;
let folder: string;
let watched: WatchedResources;
let web: MeshSidecar;
let shop: Instance;
beforeEach(async () => {
  [mesh, folder] = [await startMesh(), mkdtempSync(join(tmpdir(), 'invoke-limits-'))];
  write('shop.yaml', resiliency('shop', 'inbound: { limits: { maxInFlight: 2 } }'));
  watched = watchResources([folder], must(await loadResources([folder])), { clock: systemClock, log: silentLog });
  web = await mesh.start('web');
  const resiliencies = derived(watched.current, (loaded) => loaded.resiliencies);
  shop = await instance(mesh, 'shop', { resiliencies });
});
afterEach(async () => {
  await mesh.close();
  watched.close();
  rmSync(folder, { recursive: true });
});

const resiliency = (name: string, spec: string) =>
  `apiVersion: invoke.io/v1alpha1\nkind: Resiliency\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`;
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const call = () => send(web.sidecar.ports.http, { path: to('shop', '/x') });

/** The next version of it. Its files have been read then. */
function next<T>(of: Snapshot<T>): Promise<T> {
  return new Promise((changed) => {
    const cancel = of.changed((value) => {
      cancel();
      changed(value);
    });
  });
}

test('an edit counts from the next call on, and those that were under way before it', async () => {
  const arrived = shop.next();
  const first = call();
  const response = await arrived;
  expect((await call()).status).toBe(200);
  const edited = next(watched.current);
  write('shop.yaml', resiliency('shop', 'inbound: { limits: { maxInFlight: 1 } }'));
  await edited;
  expect(headerOf(await call(), 'invoke-fault')).toBe('app-busy');
  response.end();
  expect([(await first).status, (await call()).status]).toEqual([200, 200]);
});

test('a second file that says the same thing for the same apps is a problem, and what was in effect stays', async () => {
  const problem = next(watched.problem);
  write('more.yaml', resiliency('more', 'inbound: { rateLimits: [{ requests: 1, per: 1h }] }'));
  expect(await problem).toContain('"shop" and "more" of namespace default both say inbound for the same apps');
  expect([(await call()).status, (await call()).status]).toEqual([200, 200]);
});
