// A sidecar in this process with all that it needs beside it: the private authority, and the names.
import type { IdentityState } from '../identity/source.ts';
import { createLog, type Log } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { NamesConfig } from '../sidecar/config.ts';
import { openNames } from '../sidecar/resolve/open-names.ts';
import { listed } from '../sidecar/resolve/own-record.ts';
import type { Names } from '../sidecar/resolve/resolver.ts';
import type { SidecarPorts } from '../sidecar/sidecar.ts';
import type { LogConfig, SidecarSettings } from './flags.ts';
import { type Host, registryDirectory } from './host.ts';
import { type HostSentry, keepSigner, type Signer } from './signer.ts';
import { VERSION } from './version.ts';

export interface HostedSidecar {
  readonly ports: SidecarPorts;
  /** Whether it can prove who it is, and if not, why not. */
  identity(): IdentityState;
  /** Settles once the sidecar and all beside it are closed: 0, or 1 when work was cut off. Never rejects. */
  readonly done: Promise<0 | 1>;
  drain(): void;
  /** Settles once it drains and has served what was under way. */
  readonly drained: Promise<void>;
  stop(): void;
}

export function openLog({ level, format }: LogConfig, { stderr, clock }: Host): Log {
  return createLog({ level, format, write: (line) => stderr.write(line), now: clock.now });
}

/** Or a sentence that says why there is none. `dress` may change the names before the sidecar sees them. */
export async function hostSidecar(
  { config, names: namesConfig, signer: signerConfig }: SidecarSettings,
  host: Host,
  log: Log,
  dress: (names: Names) => Names = (names) => names,
): Promise<Result<HostedSidecar>> {
  const { clock, random } = host;
  const opened = await openListedNames(namesConfig, host, log);
  if (!opened.ok) return opened;
  const names = dress(opened.value);
  let signer: Signer | undefined;
  if (signerConfig !== undefined) {
    const kept = await keepSigner(signerConfig, { hostSentry: hostSentry(host, log), clock, random, log });
    if (!kept.ok) {
      names.close();
      return err(`the certificate authority of this machine cannot serve: ${kept.error}`);
    }
    signer = kept.value;
  }
  const closeAll = async () => {
    names.close();
    await signer?.stop();
  };
  // Loaded when it is needed: most commands of this program start no sidecar.
  const { startSidecar } = await import('../sidecar/sidecar.ts');
  const started = await startSidecar(config, { clock, random, log, names, version: VERSION });
  if (!started.ok) {
    await closeAll();
    return err(started.error.message);
  }
  const sidecar = started.value;
  return ok({
    ports: sidecar.ports,
    identity: () => sidecar.identity(),
    drain: () => sidecar.drain(),
    drained: sidecar.drained,
    stop: () => sidecar.stop(),
    done: sidecar.done.then(async (code) => {
      await closeAll();
      return code;
    }),
  });
}

/** Whatever a sidecar finds others by, `list` and `stop` are to find it. */
async function openListedNames(config: NamesConfig, host: Host, log: Log): Promise<Result<Names>> {
  const tools = { processes: host.processes, clock: host.clock, log };
  const names = await openNames(config, tools);
  if (!names.ok || config.kind === 'registry') return names;
  return ok(listed(names.value, registryDirectory(host), tools));
}

/** Its libraries are large, so they are loaded by whoever becomes the host, and by nobody else. */
function hostSentry({ clock, processes }: Host, log: Log): HostSentry {
  return async (config) => {
    const { startSentry } = await import('../sentry/sentry.ts');
    const { WORKLOAD_CERT_TTL_MS } = await import('../sentry/config.ts');
    const { workloadCertTtlMs = WORKLOAD_CERT_TTL_MS } = config;
    const sentryConfig = { ...config, workloadCertTtlMs, validators: { insecure: true } };
    const started = await startSentry(sentryConfig, { clock, processes, log: inBackground(log) });
    if (started.ok) return started;
    const { kind, message } = started.error;
    return err(kind === 'already-served' ? { kind } : { kind: 'failed', message });
  };
}

/** Whoever runs an app did not ask for a certificate authority: its daily business is for the curious. */
function inBackground(log: Log): Log {
  return { ...log, info: log.debug, with: (fields) => inBackground(log.with(fields)) };
}
