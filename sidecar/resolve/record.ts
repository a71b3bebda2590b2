// What a running sidecar writes down about itself in the registry of this machine, and how that is read back.
import { isIP } from 'node:net';
import { type AppId, type Namespace, parseSpiffeId, type SpiffeId } from '../../api/ids.ts';
import { parseJson } from '../../kit/json.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export interface RegistryRecord {
  readonly version: 1;
  readonly appId: AppId;
  readonly namespace: Namespace;
  readonly spiffeId: SpiffeId;
  /** The sidecar's process; the record counts only while it is alive. */
  readonly pid: number;
  /** See kit/processes.ts. */
  readonly processStartTime: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** An IP literal. */
  readonly host: string;
  readonly peerPort: number;
  readonly httpPort: number;
  /** Null for a program that only calls. */
  readonly appPort: number | null;
  /** On loopback. Left out: it serves no metrics, or is of a version that did not say. */
  readonly metricsPort?: number;
  readonly ready: boolean;
  /** False: here for `list` and `stop` alone; it is called by whoever has it in a list, or by mDNS. */
  readonly findable: boolean;
}

export function printRecord(record: RegistryRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/** Strict about what this version relies on, blind to fields that a later one may add. */
export function parseRecord(text: string): Result<RegistryRecord> {
  const json = parseJson(text);
  if (!json.ok) return err('it is not JSON');
  if (typeof json.value !== 'object' || json.value === null) return err('it is not a JSON object');
  const fields: Readonly<Record<string, unknown>> = { ...json.value };
  if (fields.version !== 1) return err(`its version is ${JSON.stringify(fields.version)}, and this program reads 1`);
  const identity = parseSpiffeId(String(fields.spiffeId));
  if (!identity.ok) return identity;
  const { app, namespace } = identity.value;
  const { pid, processStartTime, startedAt, host, peerPort, httpPort, appPort, ready, findable, spiffeId } = fields;
  const { metricsPort } = fields;
  if (fields.appId !== app || fields.namespace !== namespace) return err('its SPIFFE ID names another app');
  if (!isCount(pid) || pid < 1) return err('its pid is not a process number');
  if (typeof processStartTime !== 'string') return err('its processStartTime is not a text');
  if (!isCount(startedAt)) return err('its startedAt is not a time');
  if (typeof host !== 'string' || isIP(host) === 0) return err('its host is not an IP address');
  if (!isPort(peerPort) || !isPort(httpPort)) return err('a port is not between 1 and 65535');
  if (appPort !== null && !isPort(appPort)) return err('its appPort is not between 1 and 65535');
  if (typeof ready !== 'boolean') return err('its ready is neither true nor false');
  if (typeof findable !== 'boolean') return err('its findable is neither true nor false');
  return ok({
    version: 1,
    appId: app,
    namespace,
    spiffeId: spiffeId as SpiffeId,
    pid,
    processStartTime,
    startedAt,
    host,
    peerPort,
    httpPort,
    appPort,
    ...(isPort(metricsPort) ? { metricsPort } : {}),
    ready,
    findable,
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isPort(value: unknown): value is number {
  return isCount(value) && value >= 1 && value <= 65_535;
}
