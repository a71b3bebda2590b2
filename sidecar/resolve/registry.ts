// Names on one machine: every sidecar keeps a file about itself in a folder that all of them read.
//
// What was asked for lately is kept in memory, so a known name costs no look at the disk; it is kept fresh by what the
// file system reports and, since that may be missed, by a look every second. A name without a ready instance is looked
// for anew each time.
import { type FSWatcher, watch } from 'node:fs';
import { type Target, targetName } from '../../api/ids.ts';
import { type Cancel, type Clock, every } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Processes } from '../../kit/processes.ts';
import { ok, type Result } from '../../kit/result.ts';
import { goneApp, startingApp, thisMachine, unknownApp, unregisteredApp } from './absent.ts';
import { keepRecord } from './own-record.ts';
import { type AppOnDisk, openRegistryFiles, type RegistryFiles, targetOf } from './registry-files.ts';
import type { Announced, Endpoint, Names, Resolution, Resolved } from './resolver.ts';

const RESCAN_PERIOD_MS = 1000;
/** An app that nobody called for so long is no longer watched. */
const UNUSED_MAX_MS = 60_000;

export interface RegistryOptions {
  readonly directory: string;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
}

export function openRegistry(options: RegistryOptions): Result<Names> {
  const { clock, log } = options;
  const files = openRegistryFiles({ ...options, now: clock.now });
  if (!files.ok) return files;
  const apps = openApps(files.value, clock);
  const announced = new Set<Announced>();
  return ok({
    resolve(target) {
      const app = apps.use(target);
      return app.isReady() ? app.found : missing(app, files.value, clock);
    },
    announce(announcement) {
      const own = keepRecord(announcement, true, files.value, options);
      announced.add(own);
      return own;
    },
    close() {
      for (const own of announced) own.withdraw();
      apps.close();
      log.debug('registry closed');
    },
  });
}

/** One app as this process sees it. */
interface App {
  readonly target: Target;
  /** The answer while some instance is ready; made once, for calls come often. */
  readonly found: Resolved;
  isReady(): boolean;
  /** Somebody wants it now. */
  use(): void;
  /** A look at the disk that starts after this call; looks that are asked for during another are one. */
  rescan(): Promise<AppOnDisk>;
  /** On the monotonic clock. */
  usedAtMs(): number;
  close(): void;
}

function missing(app: App, files: RegistryFiles, clock: Clock): Resolution {
  return {
    kind: 'miss',
    wait(done) {
      let isWanted = true;
      void look(app, files, clock).then((resolved) => {
        if (isWanted) done(resolved);
      });
      return () => {
        isWanted = false;
      };
    },
  };
}

async function look(app: App, files: RegistryFiles, clock: Clock): Promise<Resolved> {
  const { target } = app;
  const { live, lastSeenAt } = await app.rescan();
  const findable = live.filter((record) => record.findable);
  if (findable.some((record) => record.ready)) return app.found;
  if (findable.length > 0) return { kind: 'absent', fault: startingApp(target) };
  if (live.length > 0) return { kind: 'absent', fault: unregisteredApp(target) };
  if (lastSeenAt !== undefined) return { kind: 'absent', fault: goneApp(target, lastSeenAt, clock.now()) };
  const known = (await files.readAll()).filter((record) => record.findable).map(targetOf);
  return { kind: 'absent', fault: unknownApp(target, known, thisMachine) };
}

/** The apps in use, each looked at every second until nobody has used it for a while. */
function openApps(files: RegistryFiles, clock: Clock) {
  const apps = new Map<string, App>();
  let ticking: Cancel | undefined;

  function tick(): void {
    for (const [name, app] of apps) {
      if (clock.elapsed() - app.usedAtMs() <= UNUSED_MAX_MS) void app.rescan();
      else {
        app.close();
        apps.delete(name);
      }
    }
  }

  return {
    use(target: Target): App {
      const name = targetName(target);
      const known = apps.get(name);
      if (known !== undefined) {
        known.use();
        return known;
      }
      const app = openApp(target, files, clock);
      apps.set(name, app);
      ticking ??= every(clock, RESCAN_PERIOD_MS, tick);
      return app;
    },
    close(): void {
      ticking?.();
      for (const app of apps.values()) app.close();
      apps.clear();
    },
  };
}

function openApp(target: Target, files: RegistryFiles, clock: Clock): App {
  let ready: readonly Endpoint[] = [];
  let usedAtMs = clock.elapsed();
  let running: Promise<AppOnDisk> | undefined;
  let next: Promise<AppOnDisk> | undefined;
  let watching: FSWatcher | undefined;
  let isClosed = false;

  async function scan(): Promise<AppOnDisk> {
    watchFolder();
    const onDisk = await files.read(target);
    ready = onDisk.live
      .filter((record) => record.findable && record.ready)
      .map(({ host, peerPort }) => ({ host, port: peerPort }));
    return onDisk;
  }

  function rescan(): Promise<AppOnDisk> {
    if (running === undefined) {
      running = scan().finally(() => {
        running = undefined;
      });
      return running;
    }
    next ??= running.then(() => {
      next = undefined;
      return rescan();
    });
    return next;
  }

  /** There may be no folder yet, or no watch to be had (inotify has limits): the look every second stands in. */
  function watchFolder(): void {
    if (watching !== undefined || isClosed) return;
    try {
      watching = watch(files.appDirectory(target), { persistent: false }, () => void rescan());
      watching.on('error', unwatch);
    } catch {
      watching = undefined;
    }
  }

  function unwatch(): void {
    watching?.close();
    watching = undefined;
  }

  return {
    target,
    found: { kind: 'found', upstream: { target, endpoints: () => ready } },
    isReady: () => ready.length > 0,
    use() {
      usedAtMs = clock.elapsed();
    },
    rescan,
    usedAtMs: () => usedAtMs,
    close() {
      isClosed = true;
      unwatch();
    },
  };
}
