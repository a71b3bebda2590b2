// Names on one machine: what every source of names promises, and what files and processes add to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pid } from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { createLog, silentLog } from '../../kit/log.ts';
import type { Processes } from '../../kit/processes.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { processes } from '../../kit/testing/processes.ts';
import { announcement, portsOf, promisesOfNames, ready, settled, target, until } from './names.suite.ts';
import { listed } from './own-record.ts';
import { openRegistry, type RegistryOptions } from './registry.ts';
import { openRegistryFiles } from './registry-files.ts';
import type { Names, Resolver } from './resolver.ts';
import { openStaticList } from './static-list.ts';

function throwawayDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'registry-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function open(directory: string, options: Partial<RegistryOptions> = {}): Names {
  const names = must(openRegistry({ directory, processes, clock: systemClock, log: silentLog, ...options }));
  onTestFinished(() => names.close());
  return names;
}

async function faultOf(names: Resolver, app: string) {
  const resolved = await settled(names, target(app));
  return resolved.kind === 'absent' ? resolved.fault : undefined;
}

promisesOfNames(async () => {
  const directory = throwawayDirectory();
  return { open: async () => open(directory), close: async () => undefined };
});

test('folders are closed to others and files too', () => {
  const directory = join(throwawayDirectory(), 'registry');
  open(directory).announce(announcement('web', 5001));
  const folder = join(directory, 'default', 'web');
  const [file = ''] = readdirSync(folder);
  const modes = [directory, join(directory, 'default'), folder, join(folder, file)].map(
    (path) => statSync(path).mode & 0o777,
  );
  expect(modes).toEqual([0o700, 0o700, 0o700, 0o600]);
  expect(JSON.parse(readFileSync(join(folder, file), 'utf8'))).toMatchObject({
    version: 1,
    spiffeId: 'spiffe://cluster.local/ns/default/web',
    pid,
    peerPort: 5001,
    httpPort: 3500,
    appPort: 80,
    ready: false,
  });
});

test('an app that is there but not ready is starting', async () => {
  const directory = throwawayDirectory();
  open(directory).announce(announcement('web', 5001));
  expect(await faultOf(open(directory), 'web')).toMatchObject({
    code: 'no-endpoint',
    message: expect.stringContaining('is starting'),
  });
});

test('a name lately gone is told from one never seen, with when it was there', async () => {
  const directory = throwawayDirectory();
  const names = open(directory);
  ready(names.announce(announcement('web', 5001))).withdraw();
  const gone = await faultOf(names, 'web');
  expect(gone?.code).toBe('no-endpoint');
  expect(gone?.message).toMatch(/last seen at \d{4}-\d\d-\d\dT.*"invokectl run --app-id web/);
  expect((await faultOf(names, 'api'))?.code).toBe('unknown-app');
});

test('an app that is called for stays known, and one that nobody calls for is looked for anew', async () => {
  const directory = throwawayDirectory();
  ready(open(directory).announce(announcement('web', 5001)));
  const clock = manualClock();
  const names = open(directory, { clock });
  expect(await portsOf(names, target('web'))).toEqual([5001]);
  for (let call = 0; call < 4; call++) {
    clock.advance(40_000);
    expect(names.resolve(target('web')).kind).toBe('found');
  }
  clock.advance(62_000);
  expect(names.resolve(target('web')).kind).toBe('miss');
});

test('after an hour a name is forgotten', async () => {
  const directory = throwawayDirectory();
  ready(open(directory).announce(announcement('web', 5001))).withdraw();
  const later = { ...systemClock, now: () => systemClock.now() + 3_600_001 };
  expect((await faultOf(open(directory, { clock: later }), 'web'))?.code).toBe('unknown-app');
  expect(readdirSync(join(directory, 'default'))).toEqual(['web']);
});

test('a slip of the pen is met with the name that was meant', async () => {
  const directory = throwawayDirectory();
  const names = open(directory);
  ready(names.announce(announcement('orders', 5001)));
  ready(names.announce(announcement('stock', 5002, 'shop')));
  expect((await faultOf(names, 'ordres'))?.message).toContain('Did you mean "orders"?');
  expect((await faultOf(names, 'stock'))?.message).toContain('Did you mean "stock.shop"?');
  expect((await faultOf(names, 'payments'))?.message).not.toContain('Did you mean');
});

test('the record of a process that ended without taking it back is cleaned away', async () => {
  const directory = throwawayDirectory();
  const child = spawn('sleep', ['60']);
  const childPid = child.pid ?? 0;
  ready(open(directory, { processes: { ...processes, ownPid: childPid } }).announce(announcement('web', 5001)));
  const names = open(directory);
  expect(await portsOf(names, target('web'))).toEqual([5001]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const fault = await until(
    () => faultOf(names, 'web'),
    (answer) => answer !== undefined,
  );
  expect(fault).toMatchObject({ code: 'no-endpoint', message: expect.stringContaining('last seen') });
  expect(readdirSync(join(directory, 'default', 'web'))).toEqual([]);
});

test('a later process with the number of a dead one does not stand in for it', async () => {
  const directory = throwawayDirectory();
  const earlier: Processes = { ownPid: pid, startTime: () => 'another start' };
  ready(open(directory, { processes: earlier }).announce(announcement('web', 5001)));
  expect((await faultOf(open(directory), 'web'))?.code).toBe('no-endpoint');
});

test('a record whose owner was last heard of an hour ago leaves no trace of a name lately gone', async () => {
  const directory = throwawayDirectory();
  const dead: Processes = { ownPid: 7, startTime: () => 'long ago' };
  ready(open(directory, { processes: dead }).announce(announcement('web', 5001)));
  const file = join(directory, 'default', 'web', '7-5001.json');
  const longAgoSec = systemClock.now() / 1000 - 7200;
  utimesSync(file, longAgoSec, longAgoSec);
  expect((await faultOf(open(directory), 'web'))?.code).toBe('unknown-app');
});

test('a record that cannot be understood is skipped with one line, and the others serve', async () => {
  const directory = throwawayDirectory();
  const lines: string[] = [];
  const log = createLog({ level: 'warn', format: 'text', write: (line) => lines.push(line), now: () => 0 });
  const names = open(directory, { log });
  ready(names.announce(announcement('web', 5001)));
  const folder = join(directory, 'default', 'web');
  const good = readFileSync(join(folder, `${pid}-5001.json`), 'utf8');
  writeFileSync(join(folder, '1-1.json'), '{"version":1');
  writeFileSync(join(folder, '2-2.json'), good.replace('"127.0.0.1"', '"evil.example"'));
  writeFileSync(join(folder, '3-3.json'), good.replaceAll('web', 'other'));
  mkdirSync(join(folder, '4-4.json'));
  expect(await portsOf(names, target('web'))).toEqual([5001]);
  await settled(open(directory, { log: silentLog }), target('web'));
  await settled(names, target('absent'));
  expect(lines.map((line) => /(\d-\d)\.json/.exec(line)?.[1])).toEqual(['1-1', '2-2', '3-3', '4-4']);
});

test('a look every second finds what the file system did not report', async () => {
  const directory = throwawayDirectory();
  const ticks: (() => void)[] = [];
  const after = (_: number, task: () => void) => {
    ticks.push(task);
    return () => undefined;
  };
  const byHand = { ...systemClock, after };
  const names = open(directory, { clock: byHand });
  const first = ready(names.announce(announcement('web', 5001)));
  const resolved = await settled(names, target('web'));
  if (resolved.kind !== 'found') return expect.fail('web is there');
  // The watched folder is replaced by another one, of which the watch knows nothing.
  rmSync(join(directory, 'default', 'web'), { recursive: true });
  await until(
    () => resolved.upstream.endpoints().length,
    (count) => count === 0,
  );
  first.setReady(false);
  first.setReady(true);
  await until(
    () => {
      for (const tick of ticks.splice(0)) tick();
      return resolved.upstream.endpoints().length;
    },
    (count) => count === 1,
  );
});

test('whoever asks after an instance came finds it, although a look was under way', async () => {
  const directory = throwawayDirectory();
  const names = open(directory);
  for (let port = 5001; port < 5050; port++) {
    const name = `web-${port}`;
    const underWay = settled(names, target(name));
    ready(names.announce(announcement(name, port)));
    expect(await portsOf(names, target(name))).toEqual([port]);
    await underWay;
  }
});

/** Names of another kind, whose sidecars keep a record in the registry's folder. */
function openListed(directory: string): Names {
  const names = listed(openStaticList([]), directory, { processes, clock: systemClock, log: silentLog });
  onTestFinished(() => names.close());
  return names;
}

test('a sidecar of other names is listed and not handed out, and its going leaves no trace', async () => {
  const directory = throwawayDirectory();
  const files = must(openRegistryFiles({ directory, processes, now: systemClock.now, log: silentLog }));
  const names = open(directory);
  const other = ready(openListed(directory).announce(announcement('web', 5001)));
  expect(await files.readAll()).toMatchObject([{ appId: 'web', peerPort: 5001, ready: true, findable: false }]);
  const fault = await faultOf(names, 'web');
  expect(fault).toMatchObject({ code: 'unknown-app', message: expect.stringContaining('runs on this machine with') });
  expect((await faultOf(names, 'wep'))?.message).not.toContain('Did you mean');

  const own = ready(names.announce(announcement('web', 5002)));
  expect(await portsOf(names, target('web'))).toEqual([5002]);
  own.withdraw();
  other.withdraw();
  expect(await files.readAll()).toEqual([]);
  const third = ready(openListed(directory).announce(announcement('api', 5003)));
  third.withdraw();
  expect((await faultOf(names, 'api'))?.message).toContain('no app "api"');
});

test('names of another kind serve on where no record can be kept', async () => {
  const file = join(throwawayDirectory(), 'file');
  writeFileSync(file, '');
  const lines: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void lines.push(message) };
  const names = openStaticList([]);
  expect(listed(names, join(file, 'registry'), { processes, clock: systemClock, log })).toBe(names);
  expect(lines).toEqual([expect.stringContaining('not shown by "invokectl list"')]);
});

test('a folder that cannot be used is a reason, not an exception', () => {
  const file = join(throwawayDirectory(), 'file');
  writeFileSync(file, '');
  const opened = openRegistry({ directory: join(file, 'registry'), processes, clock: systemClock, log: silentLog });
  expect(opened).toEqual({ ok: false, error: expect.stringMatching(/cannot use .*registry: a file is in the way/) });
});

test('closing takes every name back', async () => {
  const directory = throwawayDirectory();
  const names = open(directory);
  ready(names.announce(announcement('web', 5001)));
  names.close();
  expect(readdirSync(join(directory, 'default', 'web'))).toEqual([]);
});
