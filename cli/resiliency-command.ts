// The command `resiliency`: its flags and its help.
import type { Command } from 'commander';
import { parseNamespace } from '../api/ids.ts';
import { ok } from '../kit/result.ts';
import { parseHostPort, parseOneOf } from '../kit/values.ts';
import { type Finish, type Host, refuse } from './host.ts';
import { CHECK_FORMATS } from './values.ts';

interface ResiliencyOptions {
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly address?: string;
  readonly cluster?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly output: string;
}

export function addResiliency(program: Command, host: Host, finish: Finish): void {
  program
    .command('resiliency')
    .description('Show what sidecars go by and found out: open breakers, ejected instances, budgets of retries.')
    .argument('[APP...]', 'whose sidecars to ask (default: all that run)')
    .option('-n, --namespace <NAME>', 'of this namespace alone', 'default')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('--address <HOST:PORT>', 'ask the app API there, such as one that kubectl forwards to')
    .option('--cluster', 'ask the sidecars of a cluster, by their metrics, and show troubles alone')
    .option('--kubeconfig <FILE>', 'names the cluster (default: KUBECONFIG, or ~/.kube/config)')
    .option('--context <NAME>', 'its context there (default: the current one)')
    .option('-o, --output <FORMAT>', `one of ${CHECK_FORMATS.join(', ')}`, 'table')
    .addHelpText('after', HELP)
    .action(async (apps: readonly string[], options: ResiliencyOptions) => {
      const namespace = options.allNamespaces ? ok(undefined) : parseNamespace(options.namespace);
      const address = options.address === undefined ? ok(undefined) : parseHostPort(options.address);
      const format = parseOneOf(CHECK_FORMATS)(options.output);
      const { kubeconfig, context } = options;
      const isCluster = options.cluster ?? (kubeconfig ?? context) !== undefined;
      const mistakes = [
        ...(namespace.ok ? [] : [`--namespace: ${namespace.error}`]),
        ...(address.ok ? [] : [`--address: ${address.error}`]),
        ...(format.ok ? [] : [`--output: ${format.error}`]),
        ...(options.address !== undefined && apps.length > 0 ? ['name apps, or give --address, but not both'] : []),
        ...(options.address !== undefined && isCluster ? [TWO_PLACES] : []),
      ];
      if (!namespace.ok || !address.ok || !format.ok || mistakes.length > 0) return refuse(mistakes, host, finish);
      const { clusterResiliencyCommand, resiliencyCommand } = await import('./resiliency/resiliency.ts');
      const whom = { apps, namespace: namespace.value, address: address.value };
      const ended = isCluster
        ? clusterResiliencyCommand(whom, { kubeconfig, context }, format.value, host)
        : resiliencyCommand(whom, format.value, host);
      finish(await ended);
    });
}

const TWO_PLACES =
  '--address: it means one sidecar, and --cluster, --kubeconfig and --context a cluster; give one of the two';

const HELP = `
Examples:
  invokectl resiliency web
  invokectl resiliency --cluster -A
  invokectl resiliency --address 127.0.0.1:3500    # after: kubectl port-forward pod/web-7d4b 3500:3500

A sidecar that asks its app for a token asks this command, too: INVOKE_API_TOKEN or DAPR_API_TOKEN.
Exit codes: 0 when every sidecar answered, 1 when an app does not run, 69 when a sidecar did not answer.`;
