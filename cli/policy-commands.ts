// The commands about policies: `explain`, and `policy` with commands of its own.
import type { Command } from 'commander';
import { parseNamespace, parseTrustDomain } from '../api/ids.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { parseOneOf } from '../kit/values.ts';
import type { ExplainSettings } from './explain.ts';
import { type Finish, type Host, refuse } from './host.ts';
import { type QuestionWords, readQuestion } from './policy-question.ts';
import { CHECK_FORMATS, EXPLAIN_FORMATS } from './values.ts';

interface ExplainOptions {
  readonly resourcesPath?: readonly string[];
  readonly file?: readonly string[];
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace: string;
  readonly trustDomain: string;
  readonly defaultAccess: string;
  readonly output: string;
}

export function addExplain(program: Command, host: Host, finish: Finish): void {
  program
    .command('explain')
    .description('Say whether policies allow a call, by which rule, and which rules came close.')
    .argument('<CALLER>', 'who calls: app, app.namespace, or a SPIFFE ID')
    .argument('<METHOD>', 'a method of HTTP, GRPC or WEBSOCKET')
    .argument('<APP>', 'whom it calls: app or app.namespace')
    .argument('<PATH>', 'a path, or package.Service/Method')
    .option('-f, --file <FILE>', 'a YAML file with policies; may be repeated', append)
    .option('-d, --resources-path <DIR>', 'a folder of them; may be repeated', append)
    .option('--kubeconfig <FILE>', 'the cluster to ask without those (default: KUBECONFIG, or ~/.kube/config)')
    .option('--context <NAME>', 'its context there (default: the current one)')
    .option('-n, --namespace <NAME>', 'of apps that are named without one', 'default')
    .option('--trust-domain <NAME>', "the installation's", 'cluster.local')
    .option('--default-access <VERDICT>', 'where no policy says anything: allow or deny', 'allow')
    .option('-o, --output <FORMAT>', `one of ${EXPLAIN_FORMATS.join(', ')}`, 'text')
    .addHelpText('after', EXPLAIN_HELP)
    .action(async (caller: string, method: string, target: string, path: string, options: ExplainOptions) => {
      const settings = readExplain({ caller, method, target, path }, options);
      if (!settings.ok) return refuse(settings.error, host, finish);
      const { explainCommand } = await import('./explain.ts');
      finish(await explainCommand(settings.value, host));
    });
}

const EXPLAIN_HELP = `
Examples:
  invokectl explain web.front GET orders.shop /orders/7
  invokectl explain web.front GRPC orders.shop shop.Orders/Get -f policies.yaml

Exit codes: 0 when it is allowed, 1 when it is denied; 64 and 69 when nobody can tell.`;

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function readExplain(words: QuestionWords, options: ExplainOptions): Result<ExplainSettings, readonly string[]> {
  const namespace = parseNamespace(options.namespace);
  const trustDomain = parseTrustDomain(options.trustDomain);
  const defaultAccess = parseOneOf(['allow', 'deny'])(options.defaultAccess);
  const format = parseOneOf(EXPLAIN_FORMATS)(options.output);
  const mistakes = [
    ...mistakeOf('--namespace', namespace),
    ...mistakeOf('--trust-domain', trustDomain),
    ...mistakeOf('--default-access', defaultAccess),
    ...mistakeOf('--output', format),
  ];
  const { file = [], resourcesPath = [], kubeconfig, context } = options;
  const paths = [...file, ...resourcesPath];
  if (paths.length > 0 && (kubeconfig ?? context) !== undefined) {
    mistakes.push(
      '--kubeconfig and --context: they name a cluster, and files are read in its place; give one of the two',
    );
  }
  if (!namespace.ok || !trustDomain.ok || !defaultAccess.ok || !format.ok || mistakes.length > 0) return err(mistakes);
  const question = readQuestion(words, { namespace: namespace.value, trustDomain: trustDomain.value });
  if (!question.ok) return question;
  const installation = { trustDomain: trustDomain.value, defaultAccess: defaultAccess.value };
  const cluster = { kubeconfig, context };
  return ok({ question: question.value, installation, paths, cluster, format: format.value });
}

function mistakeOf(flag: string, read: Result<unknown>): string[] {
  return read.ok ? [] : [`${flag}: ${read.error}`];
}

export function addPolicy(program: Command, host: Host, finish: Finish): void {
  const policy = program
    .command('policy')
    .description('Try access policies before they are enforced, and learn them from what was called.')
    .addHelpText(
      'after',
      '\nExamples:\n  invokectl policy test policies.test.yaml\n  invokectl policy learn sidecar.log',
    );
  policy
    .command('test')
    .description('Check that policies say of each call what a file expects.')
    .argument('<FILE...>', 'YAML files with policies and cases')
    .addHelpText('after', '\nExample:\n  invokectl policy test policies.test.yaml')
    .action(async (files: string[]) => {
      const { policyTestCommand } = await import('./policy-test.ts');
      finish(await policyTestCommand(files, host));
    });
  policy
    .command('learn')
    .description("Propose the least AccessPolicies that allow the calls in sidecars' logs.")
    .argument('[FILE...]', 'logs in JSON, one line each; - for the standard input (default)')
    .option('--trust-domain <NAME>', "the installation's, which needs no mention", 'cluster.local')
    .addHelpText('after', '\nExample:\n  kubectl logs deployment/orders -c invoke-sidecar | invokectl policy learn')
    .action(async (files: string[], options: { trustDomain: string }) => {
      const trustDomain = parseTrustDomain(options.trustDomain);
      if (!trustDomain.ok) return refuse([`--trust-domain: ${trustDomain.error}`], host, finish);
      const { policyLearnCommand } = await import('./policy-learn.ts');
      finish(await policyLearnCommand(files, trustDomain.value, host));
    });
  addAudit(policy, host, finish);
}

interface AuditOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly local?: true;
  readonly namespace?: string;
  readonly output: string;
}

function addAudit(policy: Command, host: Host, finish: Finish): void {
  policy
    .command('audit')
    .description('Show whom policies in audit mode would have denied, as the sidecars counted it.')
    .option('--local', 'ask the sidecars of this machine, and no cluster')
    .option('--kubeconfig <FILE>', 'names the cluster (default: KUBECONFIG, or ~/.kube/config)')
    .option('--context <NAME>', 'its context there (default: the current one)')
    .option('-n, --namespace <NAME>', 'look at apps of this namespace alone (default: all)')
    .option('-o, --output <FORMAT>', `one of ${CHECK_FORMATS.join(', ')}`, 'table')
    .addHelpText('after', '\nExample:\n  invokectl policy audit -n shop')
    .action(async ({ kubeconfig, context, local, ...options }: AuditOptions) => {
      const namespace = options.namespace === undefined ? ok(undefined) : parseNamespace(options.namespace);
      const format = parseOneOf(CHECK_FORMATS)(options.output);
      const mistakes = [
        ...mistakeOf('--namespace', namespace),
        ...mistakeOf('--output', format),
        ...(local && (kubeconfig ?? context) !== undefined ? [TWO_PLACES] : []),
      ];
      if (!namespace.ok || !format.ok || mistakes.length > 0) return refuse(mistakes, host, finish);
      const where = local ? 'this-machine' : { kubeconfig, context };
      const { policyAuditCommand } = await import('./audit/policy-audit.ts');
      finish(await policyAuditCommand({ namespace: namespace.value, where, format: format.value }, host));
    });
}

const TWO_PLACES = '--local: it means this machine, and --kubeconfig and --context a cluster; give one of the two';
