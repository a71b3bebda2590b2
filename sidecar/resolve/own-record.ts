// What a sidecar keeps on disk of itself, for as long as it stands: for those who look names up in the registry, and for
// `invokectl list` and `invokectl stop`.
import { spiffeId } from '../../api/ids.ts';
import { type Clock, every } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Processes } from '../../kit/processes.ts';
import type { RegistryRecord } from './record.ts';
import { openRegistryFiles, type RegistryFiles } from './registry-files.ts';
import type { Announced, Announcement, Names } from './resolver.ts';

/** How often an instance says that it is still there, so that after a crash the last-seen time is not far off. */
const TOUCH_PERIOD_MS = 15_000;

export interface RecordTools {
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
}

export function keepRecord(
  announcement: Announcement,
  isFindable: boolean,
  files: RegistryFiles,
  { processes, clock, log }: RecordTools,
): Announced {
  let record = recordOf(announcement, isFindable, processes, clock.now());
  let isStanding = true;

  const publish = (write: RegistryFiles['write']) => {
    if (!isStanding) return;
    const written = write(record);
    if (written.ok) return;
    log.error(`${isFindable ? 'this app cannot be found by others' : UNLISTED}: ${written.error}`);
  };
  publish(files.write);
  const stopTouching = every(clock, TOUCH_PERIOD_MS, () => publish(files.touch));
  return {
    setReady(isReady) {
      if (record.ready === isReady) return;
      record = { ...record, ready: isReady };
      publish(files.write);
    },
    withdraw() {
      if (!isStanding) return;
      isStanding = false;
      stopTouching();
      files.remove(record);
    },
  };
}

const UNLISTED = 'this app is not shown by "invokectl list"';

/** Names that have nothing to do with the registry, of a sidecar that is to be seen in it all the same. */
export function listed(names: Names, directory: string, tools: RecordTools): Names {
  const files = openRegistryFiles({ directory, now: tools.clock.now, ...tools });
  if (!files.ok) {
    tools.log.warn(`${UNLISTED}: ${files.error}`);
    return names;
  }
  const records = new Set<Announced>();
  return {
    resolve: (target) => names.resolve(target),
    announce(announcement) {
      const record = keepRecord(announcement, false, files.value, tools);
      records.add(record);
      return both(names.announce(announcement), record);
    },
    close() {
      for (const record of records) record.withdraw();
      names.close();
    },
  };
}

function both(one: Announced, other: Announced): Announced {
  return {
    setReady(isReady) {
      one.setReady(isReady);
      other.setReady(isReady);
    },
    withdraw() {
      one.withdraw();
      other.withdraw();
    },
  };
}

function recordOf(
  announcement: Announcement,
  findable: boolean,
  processes: Processes,
  startedAt: number,
): RegistryRecord {
  const { identity, peer, httpPort, metricsPort, appPort } = announcement;
  return {
    version: 1,
    appId: identity.app,
    namespace: identity.namespace,
    spiffeId: spiffeId(identity),
    pid: processes.ownPid,
    processStartTime: processes.startTime(processes.ownPid) ?? '',
    startedAt,
    host: peer.host,
    peerPort: peer.port,
    httpPort,
    appPort: appPort ?? null,
    ...(metricsPort === undefined ? {} : { metricsPort }),
    ready: false,
    findable,
  };
}
