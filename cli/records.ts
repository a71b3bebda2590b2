// Who runs on this machine: `invokectl list` and `invokectl stop`, by the registry's records.
import { dump } from 'js-yaml';
import type { Namespace } from '../api/ids.ts';
import { type Cancel, every } from '../kit/clock.ts';
import { silentLog } from '../kit/log.ts';
import { isAlive } from '../kit/processes.ts';
import type { Result } from '../kit/result.ts';
import { nearest } from '../kit/text.ts';
import type { RegistryRecord } from '../sidecar/resolve/record.ts';
import { openRegistryFiles } from '../sidecar/resolve/registry-files.ts';
import { EXIT, type Host, registryDirectory, say } from './host.ts';
import { columns } from './table.ts';
import type { ListFormat } from './values.ts';

/** Undefined stands for all namespaces. */
export type RecordScope = Namespace | undefined;

/** What this user runs on this machine. */
export async function readRecords(namespace: RecordScope, host: Host): Promise<Result<readonly RegistryRecord[]>> {
  const { processes, clock } = host;
  const files = openRegistryFiles({ directory: registryDirectory(host), processes, now: clock.now, log: silentLog });
  if (!files.ok) return files;
  const records = await files.value.readAll();
  return { ok: true, value: within(namespace, records) };
}

function within(namespace: RecordScope, records: readonly RegistryRecord[]): readonly RegistryRecord[] {
  return namespace === undefined ? records : records.filter((record) => record.namespace === namespace);
}

export async function listCommand(namespace: Namespace | undefined, format: ListFormat, host: Host): Promise<number> {
  const records = await readRecords(undefined, host);
  if (!records.ok) {
    say(host, records.error);
    return EXIT.failed;
  }
  const rows = within(namespace, records.value).map((record) => describe(record, host.clock.now()));
  if (format === 'json') host.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
  else if (format === 'yaml') host.stdout.write(dump(rows));
  else if (rows.length > 0) host.stdout.write(table(rows));
  else {
    const where = namespace === undefined ? '' : ` in namespace "${namespace}"`;
    const next =
      records.value.length > 0 ? 'in others something does: invokectl list -A' : `start something: ${EXAMPLE}`;
    say(host, `nothing runs${where}; ${next}`);
  }
  return EXIT.ok;
}

const EXAMPLE = 'invokectl run --app-id web --app-port 8080 -- node web.js';

/** The names are part of what scripts read. */
function describe(record: RegistryRecord, now: number) {
  return {
    appId: record.appId,
    namespace: record.namespace,
    pid: record.pid,
    httpPort: record.httpPort,
    appPort: record.appPort,
    peerPort: record.peerPort,
    ready: record.ready,
    ageSec: Math.max(0, Math.floor((now - record.startedAt) / 1000)),
  };
}

type Row = ReturnType<typeof describe>;

function table(rows: readonly Row[]): string {
  return columns([
    ['APP', 'NAMESPACE', 'PID', 'HTTP PORT', 'APP PORT', 'PEER PORT', 'READY', 'AGE'],
    ...rows.map((row) =>
      [
        row.appId,
        row.namespace,
        row.pid,
        row.httpPort,
        row.appPort ?? '-',
        row.peerPort,
        row.ready ? 'yes' : 'no',
        age(row.ageSec),
      ].map(String),
    ),
  ]);
}

/** As kubectl tells it: the two largest units. */
function age(sec: number): string {
  if (sec < 120) return `${sec}s`;
  if (sec < 7200) return `${Math.floor(sec / 60)}m${sec % 60}s`;
  if (sec < 172_800) return `${Math.floor(sec / 3600)}h${Math.floor((sec % 3600) / 60)}m`;
  return `${Math.floor(sec / 86_400)}d${Math.floor((sec % 86_400) / 3600)}h`;
}

export interface StopRequest {
  /** Undefined stands for all of them. */
  readonly apps: readonly string[] | undefined;
  readonly namespace: Namespace | undefined;
  readonly timeoutMs: number;
}

/** Asks each to stop and waits until it is gone. */
export async function stopCommand({ apps, namespace, timeoutMs }: StopRequest, host: Host): Promise<number> {
  const records = await readRecords(undefined, host);
  if (!records.ok) {
    say(host, records.error);
    return EXIT.failed;
  }
  const there = within(namespace, records.value);
  const wanted = there.filter((record) => apps === undefined || apps.includes(record.appId));
  const absent = (apps ?? []).filter((app) => wanted.every((record) => record.appId !== app));
  for (const app of absent) say(host, `${app} does not run; ${insteadOf(app, there, records.value)}`);
  if (apps === undefined && wanted.length === 0) host.stdout.write('nothing runs\n');
  const outcomes = await Promise.all(wanted.map((record) => stopOne(record, timeoutMs, host)));
  return absent.length === 0 && outcomes.every((isGone) => isGone) ? EXIT.ok : EXIT.failed;
}

function insteadOf(app: string, there: readonly RegistryRecord[], all: readonly RegistryRecord[]): string {
  const meant = nearest(
    app,
    there.map(({ appId }) => appId),
  );
  if (meant !== undefined) return `did you mean ${meant}?`;
  const elsewhere = all.find(({ appId }) => appId === app);
  if (elsewhere === undefined) return '"invokectl list -A" shows what does';
  return `one of that name does in namespace "${elsewhere.namespace}": invokectl stop ${app} -n ${elsewhere.namespace}`;
}

async function stopOne(record: RegistryRecord, timeoutMs: number, host: Host): Promise<boolean> {
  const { appId, pid } = record;
  const isThere = () => isAlive(host.processes, pid, record.processStartTime);
  if (isThere()) host.signal(pid, 'SIGTERM');
  if (await becomesFalse(isThere, timeoutMs, host)) {
    host.stdout.write(`${appId} stopped (pid ${pid})\n`);
    return true;
  }
  say(
    host,
    `${appId} has not stopped within ${timeoutMs / 1000} s (pid ${pid}); if it hangs, end it with: kill -9 ${pid}`,
  );
  return false;
}

const LOOK_PERIOD_MS = 25;

/** Nobody reports the end of somebody else's child, so it is looked for. */
function becomesFalse(isTrue: () => boolean, timeoutMs: number, host: Host): Promise<boolean> {
  return new Promise((resolve) => {
    const startedAtMs = host.clock.elapsed();
    let cancel: Cancel = () => undefined;
    const look = () => {
      const isOver = host.clock.elapsed() - startedAtMs >= timeoutMs;
      if (isTrue() && !isOver) return;
      cancel();
      resolve(!isTrue());
    };
    cancel = every(host.clock, LOOK_PERIOD_MS, look);
    look();
  });
}
