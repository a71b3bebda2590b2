// The authority on disk: one root for all who start, nothing made beside what is damaged, keys for nobody else's eyes.
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseTrustDomain } from '../../api/ids.ts';
import { type Clock, systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { processes } from '../../kit/testing/processes.ts';
import { openAuthority } from './authority.ts';
import { ISSUER_LIFE_MS, ROOT_LIFE_MS } from './lifetime.ts';

const trustDomain = must(parseTrustDomain('cluster.local'));
const DAY_MS = 24 * 3_600_000;

let parent = '';
let directory = '';
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'invoke-authority-'));
  directory = join(parent, 'state');
});
afterEach(() => rmSync(parent, { recursive: true }));

const file = (name: string) => join(directory, name);
const open = (clock: Clock = manualClock(), domain = trustDomain) =>
  openAuthority({ directory, trustDomain: domain, clock, processes, log: silentLog });

/** Everything in the folder, with its content: to see that nothing was touched. */
const contents = () =>
  Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(file(name), 'utf8')]));

test('the first start makes a root and an issuer, and the next one finds them', async () => {
  const clock = manualClock();
  const first = must(await open(clock));
  const before = contents();
  const second = must(await open(clock));
  expect(second.anchorsPem).toBe(first.anchorsPem);
  expect(must(await second.issuer(clock.now())).certificatePem).toBe(before['issuer.crt']);
  expect(contents()).toEqual(before);
  expect(Object.keys(before).sort()).toEqual(['issuer.crt', 'issuer.key', 'root.crt', 'root.key', 'trust-anchors.crt']);
  expect(before['trust-anchors.crt']).toBe(first.anchorsPem);
});

test('the folder and the keys are for their owner alone, the certificates for everybody', async () => {
  must(await open());
  const mode = (path: string) => statSync(path).mode & 0o777;
  expect(mode(directory)).toBe(0o700);
  expect(['root.key', 'issuer.key'].map((name) => mode(file(name)))).toEqual([0o600, 0o600]);
  expect(['root.crt', 'trust-anchors.crt'].map((name) => mode(file(name)))).toEqual([0o644, 0o644]);
});

test('processes that start at once agree on one root', async () => {
  const script = join(import.meta.dirname, 'testing-open.ts');
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, [script, directory], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  await Promise.all(children.map((child) => once(child.stdout, 'data')));
  const anchors = await Promise.all(
    children.map(async (child) => {
      child.stdin.write('go');
      const [output] = await Promise.all([child.stdout.toArray(), once(child, 'close')]);
      return Buffer.concat(output).toString();
    }),
  );
  expect(anchors[0]).toContain('BEGIN CERTIFICATE');
  expect(new Set(anchors)).toEqual(new Set([readFileSync(file('root.crt'), 'utf8')]));
  expect(readdirSync(directory)).toHaveLength(5);
});

test('so do many starts within one process', async () => {
  const opened = await Promise.all(Array.from({ length: 8 }, () => open(systemClock)));
  expect(new Set(opened.map((outcome) => must(outcome).anchorsPem)).size).toBe(1);
});

test.each<[string, () => void, RegExp]>([
  ['root.key is gone', () => rmSync(file('root.key')), /root\.crt but not root\.key.*Restore/],
  ['root.crt is gone', () => rmSync(file('root.crt')), /root\.key but not root\.crt.*Restore/],
  ['the whole root is gone', removeRoot, /issuer\.key but not root\.key and root\.crt/],
  ['only the anchors are left', leaveAnchors, /trust-anchors\.crt but not root\.key/],
  ['root.key is empty', () => writeFileSync(file('root.key'), ''), /root\.key is damaged/],
  ['root.crt is garbage', () => writeFileSync(file('root.crt'), 'garbage'), /root\.crt is damaged/],
  ['root.key is another key', () => copy('issuer.key', 'root.key'), /root\.key is not the key of .*root\.crt/],
  ['issuer.key is another key', () => copy('root.key', 'issuer.key'), /issuer\.key is not the key of/],
  ['issuer.key is gone', () => rmSync(file('issuer.key')), /issuer\.crt but not issuer\.key/],
  ['root.key can be read by a group', () => chmodSync(file('root.key'), 0o640), /root\.key can be read by other users/],
  ['issuer.key can be read by all', () => chmodSync(file('issuer.key'), 0o644), /issuer\.key can be read by other/],
])('where %s, nothing is made anew and the message names the file', async (_says, damage, message) => {
  must(await open());
  damage();
  const before = contents();
  const outcome = await open();
  expect(outcome).toMatchObject({ ok: false, error: expect.stringMatching(message) });
  expect(contents()).toEqual(before);
});

test('an issuer of another root is refused', async () => {
  must(await open());
  const [key, crt] = ['issuer.key', 'issuer.crt'].map((name) => readFileSync(file(name)));
  rmSync(directory, { recursive: true });
  must(await open());
  writeFileSync(file('issuer.key'), key ?? '');
  writeFileSync(file('issuer.crt'), crt ?? '');
  expect(await open()).toMatchObject({ ok: false, error: expect.stringMatching(/issuer\.crt was not signed by/) });
});

test('another trust domain needs another folder', async () => {
  must(await open());
  const outcome = await open(manualClock(), must(parseTrustDomain('elsewhere')));
  expect(outcome).toMatchObject({ ok: false, error: expect.stringMatching(/not an authority of .* elsewhere/) });
});

test('a folder that others may change is refused and left as it is', async () => {
  must(await open());
  chmodSync(directory, 0o770);
  expect(await open()).toMatchObject({ ok: false, error: expect.stringContaining(`chmod 700 ${directory}`) });
  expect(statSync(directory).mode & 0o777).toBe(0o770);
});

test('an issuer without a certificate, as an interrupted replacement leaves it, is made anew by the same root', async () => {
  const first = must(await open());
  rmSync(file('issuer.crt'));
  const second = must(await open());
  expect(second.anchorsPem).toBe(first.anchorsPem);
  expect(new X509Certificate(readFileSync(file('issuer.crt'))).verify(second.root.publicKey)).toBe(true);
});

test('the issuer serves two thirds of its life, then the root makes the next one, once for all who ask', async () => {
  const clock = manualClock();
  const authority = must(await open(clock));
  const first = must(await authority.issuer(clock.now()));
  expect(must(await authority.issuer(clock.now() + ISSUER_LIFE_MS / 2))).toBe(first);
  const later = clock.now() + (ISSUER_LIFE_MS * 2) / 3 + DAY_MS;
  const [second, third] = await Promise.all([authority.issuer(later), authority.issuer(later)]);
  expect(must(second)).toBe(must(third));
  expect(must(second)).not.toBe(first);
  expect(must(second).certificate.verify(authority.root.publicKey)).toBe(true);
  expect(readFileSync(file('issuer.crt'), 'utf8')).toBe(must(second).certificatePem);
});

test('two processes over one folder: the second takes the issuer that the first has made', async () => {
  const clock = manualClock();
  const [one, two] = [must(await open(clock)), must(await open(clock))];
  const later = clock.now() + (ISSUER_LIFE_MS * 2) / 3 + DAY_MS;
  const made = must(await one.issuer(later));
  expect(must(await two.issuer(later)).certificatePem).toBe(made.certificatePem);
});

test('where the next issuer cannot be made, the old one serves to its end and no longer', async () => {
  const clock = manualClock();
  const authority = must(await open(clock));
  const first = must(await authority.issuer(clock.now()));
  const elsewhere = join(parent, 'elsewhere');
  renameSync(directory, elsewhere);
  expect(must(await authority.issuer(clock.now() + ISSUER_LIFE_MS - DAY_MS))).toBe(first);
  expect((await authority.issuer(clock.now() + ISSUER_LIFE_MS)).ok).toBe(false);
  renameSync(elsewhere, directory);
  expect((await authority.issuer(clock.now() + ISSUER_LIFE_MS)).ok).toBe(true);
});

test('no issuer outlives the root, and an expired root is refused with both times', async () => {
  const clock = manualClock();
  const { root } = must(await open(clock));
  clock.advance(ROOT_LIFE_MS - 30 * DAY_MS);
  const issuer = must(await must(await open(clock)).issuer(clock.now()));
  expect(issuer.certificate.validToDate).toEqual(root.validToDate);
  clock.advance(31 * DAY_MS);
  expect(await open(clock)).toMatchObject({ ok: false, error: expect.stringMatching(/root\.crt is expired.*clock/) });
});

function removeRoot(): void {
  rmSync(file('root.key'));
  rmSync(file('root.crt'));
}

function leaveAnchors(): void {
  for (const name of readdirSync(directory)) if (name !== 'trust-anchors.crt') rmSync(file(name));
}

function copy(from: string, to: string): void {
  writeFileSync(file(to), readFileSync(file(from)));
}
