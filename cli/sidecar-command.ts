// `invokectl sidecar`: a sidecar alone, in the foreground. Also the child of `invokectl run`, which steers it over the
// IPC channel (channel.ts).
import { isAlive } from '../kit/processes.ts';
import { loadResources } from '../sidecar/resources/load.ts';
import { watchResources } from '../sidecar/resources/watch.ts';
import { type FromSidecar, isToSidecar } from './channel.ts';
import type { SidecarSettings } from './flags.ts';
import { EXIT, type Host, type ParentChannel, say } from './host.ts';
import { type HostedSidecar, hostSidecar, openLog } from './host-sidecar.ts';
import { untilProven } from './proven.ts';
import { configuredBy } from './resources.ts';

export async function sidecarCommand(settings: SidecarSettings, isSupervised: boolean, host: Host): Promise<number> {
  const log = openLog(settings.log, host);
  const parent = isSupervised ? host.parent : undefined;
  const resources = await loadResources(settings.resourcesPaths);
  if (!resources.ok) {
    for (const problem of resources.error) say(host, problem);
    return EXIT.usage;
  }
  for (const sentence of [...settings.remarks, ...resources.value.ignored]) log.warn(sentence);

  // A parent that went away during the start has to be noticed too.
  let isOrphan = false;
  const unwatch = parent?.onGone(() => {
    isOrphan = true;
  });
  const watched = watchResources(settings.resourcesPaths, resources.value, { clock: host.clock, log });
  const config = { ...settings.config, ...configuredBy(watched, settings, host, log) };
  const started = await hostSidecar({ ...settings, config }, host, log);
  unwatch?.();
  if (!started.ok) {
    watched.close();
    if (parent === undefined) say(host, started.error);
    else tell(parent, { kind: 'failed', message: started.error });
    return EXIT.failed;
  }
  const sidecar = started.value;
  if (isOrphan) sidecar.stop();
  else if (parent === undefined) host.onSignal(() => sidecar.stop());
  else obey(parent, sidecar, settings.config.gracefulShutdownMs, host);
  void sidecar.done.then(() => watched.close());
  return sidecar.done;
}

/** So that an app may call as its first deed. Without an authority it starts all the same: it may have other things to do. */
const PROVEN_WITHIN_MS = 2000;

/** The parent receives a terminal's signals too and decides what they mean; only a SIGTERM is meant for this process. */
function obey(parent: ParentChannel, sidecar: HostedSidecar, graceMs: number, host: Host): void {
  let endApp = async () => {};
  parent.onMessage((message) => {
    if (!isToSidecar(message)) return;
    if (message.kind === 'app-started') endApp = appEnder(message.pid, graceMs, host);
    else if (message.kind === 'drain') sidecar.drain();
    else sidecar.stop();
  });
  parent.onGone(() => void endApp().then(() => sidecar.stop()));
  host.onSignal((signal) => {
    if (signal === 'SIGTERM') tell(parent, { kind: 'stop-asked' });
  });
  void sidecar.drained.then(() => tell(parent, { kind: 'drained' }));
  const { ports } = sidecar;
  void untilProven(sidecar, PROVEN_WITHIN_MS, host.clock).then(() => tell(parent, { kind: 'started', ports }));
}

const LOOK_EVERY_MS = 50;

/**
 * Ends the app that nobody else is left to end, at the latest after the grace. Never another process that was given the
 * number of one that is long gone.
 */
function appEnder(pid: number, graceMs: number, { processes, signal, clock }: Host): () => Promise<void> {
  const startTime = processes.startTime(pid);
  const isThere = () => startTime !== undefined && isAlive(processes, pid, startTime);
  return async () => {
    if (!isThere()) return;
    signal(-pid, 'SIGTERM');
    const endMs = clock.elapsed() + graceMs;
    while (isThere() && clock.elapsed() < endMs)
      await new Promise<void>((look) => void clock.after(LOOK_EVERY_MS, look));
    if (isThere()) signal(-pid, 'SIGKILL');
  };
}

function tell(parent: ParentChannel, message: FromSidecar): void {
  parent.send(message);
}
