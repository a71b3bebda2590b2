// `invokectl run`: an app and its sidecar, started together and ended together, the app first.
//
//   R1. The app starts when the sidecar's ports are bound and it has a certificate to call with, or two seconds later, and
//       learns the ports from its environment.
//   R2. Each signal reaches the app's process group once. Before the first, the sidecar takes the name back, refuses what
//       comes in and lets the app finish what it is serving, within the grace: an app that ends at a signal without
//       further ado loses no call. It may call out until it is gone.
//   R3. Whatever ends this process, SIGKILL included, ends both of them.
//   R4. The exit code is the app's; 1 when the sidecar broke down under it.
import { probePort } from '../sidecar/app/port-watch.ts';
import { loadResources } from '../sidecar/resources/load.ts';
import type { SidecarPorts } from '../sidecar/sidecar.ts';
import { type Child, type SidecarChild, type SpawnedSidecar, spawnApp, spawnSidecar } from './children.ts';
import { printFlags, type RawFlags } from './flag-table.ts';
import type { SidecarSettings } from './flags.ts';
import { type Env, EXIT, exitCodeOf, type Host, nonEmpty, say } from './host.ts';
import { linePrefix } from './prefix.ts';
import { collectStops, type PassedOn } from './stops.ts';

export interface RunRequest {
  readonly settings: SidecarSettings;
  /** What the settings were read from, for the sidecar's process to read anew. */
  readonly raw: RawFlags;
  readonly command: readonly string[];
}

const SIDECAR_NAME = 'invoke';
/** Over the grace that the sidecar gives its calls. */
const SIDECAR_END_MS = 5000;

export async function runCommand({ settings, raw, command }: RunRequest, host: Host): Promise<number> {
  const resources = await loadResources(settings.resourcesPaths);
  if (!resources.ok) {
    for (const problem of resources.error) say(host, problem);
    return EXIT.usage;
  }
  const prefixes = prefixesFor(settings.config.appId, host);
  const sidecar = spawnSidecar(printFlags(raw), prefixes.sidecar, host);
  const stops = collectStops(host);
  sidecar.onStopAsked(() => stops.add('SIGTERM'));

  const start = await Promise.race([sidecar.start, stops.first]);
  if (typeof start === 'string') {
    await endSidecar(sidecar.child, settings, host);
    return exitCodeOf(null, start);
  }
  if (start.kind === 'failed') {
    say(host, start.message ?? `the sidecar could not start (exit code ${start.exitCode})`);
    return EXIT.failed;
  }
  await warnOfTakenPort(settings, host);
  const app = await spawnApp(command, appEnv(settings, start.ports, host), prefixes.app, host);
  if (app.kind === 'failed') {
    say(host, notStarted(command, app.code));
    await endSidecar(sidecar.child, settings, host);
    return app.code === 'ENOENT' ? 127 : 126;
  }
  sidecar.child.tell({ kind: 'app-started', pid: app.app.pid });
  const { gracefulShutdownMs } = settings.config;
  stops.passOnTo(afterDraining(sidecar, gracefulShutdownMs, host, (signal) => host.signal(-app.app.pid, signal)));
  return supervise(app.app, sidecar.child, settings, host);
}

/** Whatever is there would be taken for the app, and get its calls. */
async function warnOfTakenPort({ config }: SidecarSettings, host: Host): Promise<void> {
  const { appId, app } = config;
  const { port } = app;
  if (port === undefined) return;
  const isTaken = await new Promise<boolean>((done) => void probePort(app.host, port, host.clock, done));
  if (!isTaken) return;
  const what = `something listens on port ${port} before ${appId} was started, and gets its calls`;
  say(host, `${what}; unless that is meant, stop it, or choose another --app-port`);
}

/** Until both have ended, whichever is first. */
async function supervise(app: Child, sidecar: SidecarChild, settings: SidecarSettings, host: Host): Promise<number> {
  const first = await Promise.race([
    app.ended.then((exitCode) => ({ who: 'app' as const, exitCode })),
    sidecar.ended.then((exitCode) => ({ who: 'sidecar' as const, exitCode })),
  ]);
  if (first.who === 'app') {
    await endSidecar(sidecar, settings, host);
    return first.exitCode;
  }
  const { appId, gracefulShutdownMs } = settings.config;
  if (first.exitCode === 0) {
    // Asked for over its API, as jobs do when they are through: the app ends by itself, or is told to.
    say(host, `the sidecar was shut down; waiting for ${appId} to end`);
    const cancel = host.clock.after(gracefulShutdownMs, () => endApp(app, gracefulShutdownMs, host));
    const exitCode = await app.ended;
    cancel();
    return exitCode;
  }
  say(host, `the sidecar ended unexpectedly (exit code ${first.exitCode}); ending ${appId}`);
  endApp(app, gracefulShutdownMs, host);
  await app.ended;
  return EXIT.failed;
}

function endApp(app: Child, graceMs: number, host: Host): void {
  host.signal(-app.pid, 'SIGTERM');
  const cancel = host.clock.after(graceMs, () => host.signal(-app.pid, 'SIGKILL'));
  void app.ended.then(cancel);
}

async function endSidecar(sidecar: SidecarChild, { config }: SidecarSettings, host: Host): Promise<void> {
  sidecar.tell({ kind: 'stop' });
  const cancel = host.clock.after(config.gracefulShutdownMs + SIDECAR_END_MS, () => sidecar.kill());
  await sidecar.ended;
  cancel();
}

/** The first signal waits until the sidecar has drained; whoever sends another has waited long enough. */
function afterDraining(
  sidecar: SpawnedSidecar,
  graceMs: number,
  host: Host,
  signalApp: (signal: PassedOn) => void,
): (signal: PassedOn) => void {
  const held: PassedOn[] = [];
  let isHolding = true;
  const release = () => {
    isHolding = false;
    for (const signal of held.splice(0)) signalApp(signal);
  };
  return (signal) => {
    held.push(signal);
    if (!isHolding || held.length > 1) {
      release();
      return;
    }
    sidecar.child.tell({ kind: 'drain' });
    const cancel = host.clock.after(graceMs, release);
    void sidecar.drained.then(() => {
      cancel();
      release();
    });
  };
}

/** The app finds its sidecar under Dapr's names and under ours. */
function appEnv({ config }: SidecarSettings, ports: SidecarPorts, { env }: Host): Env {
  const common = {
    HTTP_PORT: String(ports.http),
    ...(ports.grpc === undefined ? {} : { GRPC_PORT: String(ports.grpc) }),
    ...(config.apiToken === undefined ? {} : { API_TOKEN: config.apiToken }),
    ...(ports.metrics === undefined ? {} : { METRICS_PORT: String(ports.metrics) }),
  };
  const twins = Object.entries(common).flatMap(([name, value]) => [
    [`DAPR_${name}`, value],
    [`INVOKE_${name}`, value],
  ]);
  return {
    ...env,
    ...Object.fromEntries(twins),
    APP_ID: config.appId,
    NAMESPACE: config.namespace,
    APP_PROTOCOL: config.app.protocol ?? 'http',
    ...(config.app.port === undefined ? {} : { APP_PORT: String(config.app.port) }),
  };
}

function prefixesFor(appId: string, { stdout, stderr, env }: Host) {
  const isColoured = stdout.isTTY && stderr.isTTY && nonEmpty(env.NO_COLOR) === undefined;
  const width = Math.max(appId.length, SIDECAR_NAME.length);
  return {
    app: linePrefix(appId, width, isColoured ? 0 : undefined),
    sidecar: linePrefix(SIDECAR_NAME, width, isColoured ? 1 : undefined),
  };
}

function notStarted(command: readonly string[], code: string): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such command; check its spelling and PATH',
    EACCES: 'it may not be executed; check its permissions',
  };
  return `cannot start ${command[0]}: ${reasons[code] ?? code}`;
}
