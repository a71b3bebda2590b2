// The command `check`: its flags and its help.
import type { Command } from 'commander';
import { parseNamespace } from '../api/ids.ts';
import { ok } from '../kit/result.ts';
import { parseOneOf } from '../kit/values.ts';
import { type Finish, type Host, refuse } from './host.ts';
import { CHECK_FORMATS } from './values.ts';

interface CheckOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly controlPlane: string;
  readonly output: string;
}

export function addCheck(program: Command, host: Host, finish: Finish): void {
  program
    .command('check')
    .description(
      'Find what is not as it should be in a cluster: ways past sidecars, pods without one, refused policies.',
    )
    .option('--kubeconfig <FILE>', 'names the cluster (default: KUBECONFIG, or ~/.kube/config)')
    .option('--context <NAME>', 'its context there (default: the current one)')
    .option('-n, --namespace <NAME>', 'look at this namespace alone (default: all)')
    .option('--control-plane <NAMESPACE>', 'where the chart is installed', 'invoke-system')
    .option('-o, --output <FORMAT>', `one of ${CHECK_FORMATS.join(', ')}`, 'table')
    .addHelpText('after', HELP)
    .action(async ({ kubeconfig, context, ...options }: CheckOptions) => {
      const namespace = options.namespace === undefined ? ok(undefined) : parseNamespace(options.namespace);
      const controlPlane = parseNamespace(options.controlPlane);
      const format = parseOneOf(CHECK_FORMATS)(options.output);
      const mistakes = [
        ...(namespace.ok ? [] : [`--namespace: ${namespace.error}`]),
        ...(controlPlane.ok ? [] : [`--control-plane: ${controlPlane.error}`]),
        ...(format.ok ? [] : [`--output: ${format.error}`]),
      ];
      if (!namespace.ok || !controlPlane.ok || !format.ok) return refuse(mistakes, host, finish);
      const { checkCommand } = await import('./check/check.ts');
      const scope = { namespace: namespace.value, controlPlane: controlPlane.value };
      finish(await checkCommand({ scope, cluster: { kubeconfig, context }, format: format.value }, host));
    });
}

const HELP = `
Example:
  invokectl check -n shop

Exit codes: 0 when nothing was found, 1 when something was, 69 when the cluster could not be read.`;
