// The cluster that a kubeconfig names, with the rights of whoever runs the command.
import { resolve } from 'node:path';
import { silentLog } from '../kit/log.ts';
import { err, type Result } from '../kit/result.ts';
import { openKube } from '../kube/client.ts';
import type { Kube } from '../kube/kube.ts';
import { type Host, nonEmpty } from './host.ts';

export interface ClusterOptions {
  /** Left out: what KUBECONFIG says, or ~/.kube/config. */
  readonly kubeconfig?: string | undefined;
  /** Left out: the current one. */
  readonly context?: string | undefined;
}

export function openCluster({ kubeconfig, context }: ClusterOptions, { env, home, cwd, clock }: Host): Result<Kube> {
  const kubeconfigFile = resolve(cwd, kubeconfig ?? nonEmpty(env.KUBECONFIG) ?? `${home}/.kube/config`);
  const kubeConfig = { kubeconfigFile, context };
  const opened = openKube({ kubeConfig, fieldManager: 'invokectl', clock, log: silentLog });
  if (opened.ok || kubeconfig !== undefined) return opened;
  return err(`${opened.error}; KUBECONFIG says which cluster is meant`);
}
