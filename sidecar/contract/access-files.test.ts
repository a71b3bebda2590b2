// Policies out of a folder of files, as on a laptop: they count as they are written, and what cannot be read changes nothing.
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { createLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { derived, type Snapshot } from '../../kit/snapshot.ts';
import { loadResources } from '../resources/load.ts';
import { accessOf } from '../resources/policies.ts';
import { type WatchedResources, watchResources } from '../resources/watch.ts';
import { echo, identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { expectFault, send, to } from './testing.ts';

let mesh: Mesh;
let folder: string;
let watched: WatchedResources;
let web: MeshSidecar;
let shop: MeshSidecar;
let lines: string[];
beforeEach(async () => {
  [mesh, folder, lines] = [await startMesh(), mkdtempSync(join(tmpdir(), 'invoke-policies-')), []];
  write('shop.yaml', policy('default: allow'));
  const log = createLog({ level: 'info', format: 'text', write: (line) => void lines.push(line), now: () => 0 });
  watched = watchResources([folder], must(await loadResources([folder])), { clock: systemClock, log });
  web = await mesh.start('web');
  const access = derived(watched.current, (resources) => accessOf(resources, identityOf('shop')));
  const notices = () => ({ resourcesProblem: watched.problem.current() ?? '' });
  shop = await mesh.start('shop', { handler: echo, config: { access, notices } });
});
afterEach(async () => {
  await mesh.close();
  watched.close();
  rmSync(folder, { recursive: true });
});

const head = (kind: string, name: string) =>
  `apiVersion: invoke.io/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\n`;
const policy = (spec: string) => `${head('AccessPolicy', 'shop')}spec: { ${spec} }\n`;
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const call = (path = '/x') => send(web.sidecar.ports.http, { path: to('shop', path) });

/** The next version of it. Its files have been read then. */
function next<T>(of: Snapshot<T>): Promise<T> {
  return new Promise((changed) => {
    const cancel = of.changed((value) => {
      cancel();
      changed(value);
    });
  });
}

test('an edit counts without a restart, and so does the end of the file', async () => {
  expect((await call()).status).toBe(200);
  let changed = next(watched.current);
  write('shop.yaml', policy('rules: [{ name: reads, from: [{ app: web }], to: [{ paths: [/orders] }] }]'));
  await changed;
  expect(expectFault(await call(), 'denied')).toContain('default of default/shop');
  expect((await call('/orders')).status).toBe(200);
  changed = next(watched.current);
  unlinkSync(join(folder, 'shop.yaml'));
  await changed;
  expect((await call()).status).toBe(200);
});

test('a file that cannot be used leaves all policies as they were, and is told in the log and in the metadata', async () => {
  const told = async () => JSON.parse(String((await send(shop.sidecar.ports.http, { path: '/v1.0/metadata' })).body));
  let problem = next(watched.problem);
  // First alone: on a busy machine the files may be read still for an earlier change, and then without it.
  write('other.yaml', policy('mode: never'));
  await problem;
  problem = next(watched.problem);
  write('shop.yaml', policy('default: deny'));
  write('other.yaml', policy('rules: [{ name: NO }]'));
  expect(await problem).toContain('other.yaml:1: AccessPolicy "shop": spec');
  expect((await call()).status).toBe(200);
  expect((await told()).extended.resourcesProblem).toContain('other.yaml:1');
  expect(lines.join('')).toContain('and what they said before still holds: ');

  problem = next(watched.problem);
  const changed = next(watched.current);
  unlinkSync(join(folder, 'other.yaml'));
  expect(await problem).toBeUndefined();
  await changed;
  expectFault(await call(), 'denied');
});

test('the fence of a namespace is held by whoever has its policy', async () => {
  const changed = next(watched.current);
  write('fence.yaml', `${head('NamespacePolicy', 'other')}spec: { mayCall: [{ namespace: third }] }\n`);
  const stranger = await mesh.start('stranger', { namespace: 'other' });
  await changed;
  const answer = await send(stranger.sidecar.ports.http, { path: to('shop.default') });
  expect(expectFault(answer, 'denied')).toContain("mayCall of the caller's namespace");
  expect((await call()).status).toBe(200);
});
