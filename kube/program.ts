// A program of the control plane before it begins with what is its own: its environment makes sense, it logs as it was told, and
// it has the Kubernetes API. Main files begin here.
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { EXIT, type LogSettings, type Program } from '../kit/program.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { openKube } from './client.ts';
import type { Kube } from './kube.ts';

/** What every such program reads from its environment. */
export interface ProgramConfig {
  readonly log: LogSettings;
  /** A kubeconfig file; undefined: the ServiceAccount of the pod. */
  readonly kubeconfig: string | undefined;
}

export interface Equipped<Config> {
  readonly config: Config;
  readonly log: Log;
  readonly kube: Kube;
}

/** `name` owns what the program writes. Or, when it has been said why, the code to end with. */
export function equipProgram<Config extends ProgramConfig>(
  name: string,
  read: Result<Config, readonly string[]>,
  program: Program,
  clock: Clock,
): Result<Equipped<Config>, number> {
  if (!read.ok) {
    for (const mistake of read.error) program.log.error(mistake);
    return err(EXIT.usage);
  }
  const config = read.value;
  const log = program.logAs(config.log);
  const kubeConfig = config.kubeconfig === undefined ? 'in-cluster' : { kubeconfigFile: config.kubeconfig };
  const kube = openKube({ kubeConfig, fieldManager: name, clock, log });
  if (kube.ok) return ok({ config, log, kube: kube.value });
  log.error(kube.error);
  return err(EXIT.failed);
}
