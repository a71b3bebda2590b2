// The commands of invokectl, their flags and their help; each hands over to a file of its own.
import { Command, CommanderError, Option } from 'commander';
import { type Namespace, parseNamespace } from '../api/ids.ts';
import { messageOf } from '../kit/errors.ts';
import { ok, type Result } from '../kit/result.ts';
import { parseOneOf } from '../kit/values.ts';
import { CALL_LOG_LEVEL, type CallOptions, readCall } from './call-request.ts';
import { addCheck } from './check-command.ts';
import { completionScript, SHELLS } from './completion.ts';
import { addFlags, type FlagName, SIDECAR_FLAGS } from './flag-table.ts';
import { readFlags } from './flags.ts';
import { EXIT, type Finish, type Host, refuse, say } from './host.ts';
import { addExplain, addPolicy } from './policy-commands.ts';
import { addResiliency } from './resiliency-command.ts';
import type { SentryOptions } from './sentry-command.ts';
import { LIST_FORMATS, parseTtl } from './values.ts';
import { VERSION } from './version.ts';

/** The exit code. Rejects for a bug alone. */
export async function runCli(args: readonly string[], host: Host): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = build(host, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(wordsFor(program, args), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for comes this way too.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}

/** Help about a command that there is not would be the help of all, without a word of the mistake. */
function wordsFor({ commands }: Command, args: readonly string[]): string[] {
  const [first, topic, ...rest] = args;
  const isUnknown = first === 'help' && topic !== undefined && !commands.some((each) => namesOf(each).includes(topic));
  return isUnknown && topic !== 'help' ? [topic, ...rest] : [...args];
}

function namesOf(command: Command): readonly string[] {
  return [command.name(), ...command.aliases()];
}

/** One line, and the stack only for those who ask for it. */
export function reportBug(error: unknown, args: readonly string[], host: Host): number {
  const message = messageOf(error);
  say(host, `${message.split('\n', 1).join()} (this is a bug in invokectl; --log-level debug tells more)`);
  const isDebug = args.some(
    (arg, i) => arg === '--log-level=debug' || (arg === 'debug' && args[i - 1] === '--log-level'),
  );
  if (isDebug && error instanceof Error) host.stderr.write(`${error.stack}\n`);
  return EXIT.bug;
}

function build(host: Host, finish: Finish): Command {
  const program = new Command('invokectl');
  program
    .description('Call other services by name, with identity and encryption taken care of.')
    .version(VERSION, '-V, --version', 'print the version')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(text),
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      outputError: (text) =>
        say(
          host,
          text
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' ')
            .replace(/^unknown (command|option) '[^']*'$/, '$&; --help shows which there are')
            .replace(
              /^((missing required|required option|option .* missing|too many arguments).*?)\.?$/,
              '$1; --help shows an example',
            ),
        ),
    })
    .addHelpText('after', FIRST_STEPS);
  for (const add of [
    addRun,
    addSidecar,
    addCall,
    addList,
    addStop,
    addResiliency,
    addSentry,
    addExplain,
    addPolicy,
    addCheck,
    addUninstall,
    addCompletion,
  ])
    add(program, host, finish);
  program
    .command('version')
    .description('Print the version.')
    .action(() => {
      host.stdout.write(`${VERSION}\n`);
    });
  return program;
}

const HELP_WIDTH = 110;

const FIRST_STEPS = `
First steps:
  invokectl run --app-id orders --app-port 8080 -- node orders.js    an app that others can call
  invokectl call orders hello                                        calls it, from anywhere on this machine
  invokectl list                                                     shows what runs
  invokectl stop orders                                              stops it

An app calls another through its own sidecar:
  curl http://127.0.0.1:$DAPR_HTTP_PORT/v1.0/invoke/orders/method/hello`;

function addRun(program: Command, host: Host, finish: Finish): void {
  const command = program
    .command('run')
    .description('Start an app with a sidecar beside it; both end together.')
    .argument('[COMMAND...]', 'the app and its arguments')
    .usage('[flags] -- COMMAND...')
    .passThroughOptions();
  const raw = addFlags(command, SIDECAR_FLAGS);
  command.addHelpText(
    'after',
    `
Example:
  invokectl run --app-id web --app-port 8080 -- node web.js

The app finds its sidecar by DAPR_HTTP_PORT (INVOKE_HTTP_PORT), and itself by APP_ID, APP_PORT and NAMESPACE.
Read from the environment: INVOKE_API_TOKEN or DAPR_API_TOKEN (asked of the app, which finds it under both names),
APP_API_TOKEN (shown to the app), INVOKE_HOME (default ~/.invoke), NO_COLOR.`,
  );
  command.action(async (appCommand: string[]) => {
    const settings = readFlags(raw, host);
    const mistakes = [
      ...(settings.ok ? [] : settings.error),
      ...(appCommand.length > 0 ? [] : ['there is no command to run; write it after --, or use "invokectl sidecar"']),
    ];
    if (!settings.ok || mistakes.length > 0) return refuse(mistakes, host, finish);
    const { runCommand } = await import('./run.ts');
    finish(await runCommand({ settings: settings.value, raw, command: appCommand }, host));
  });
}

function addSidecar(program: Command, host: Host, finish: Finish): void {
  const command = program
    .command('sidecar')
    .description('Start a sidecar alone, for an app that is started elsewhere.');
  const raw = addFlags(command, SIDECAR_FLAGS);
  command.addOption(new Option('--supervised').hideHelp());
  command.addHelpText('after', '\nExample:\n  invokectl sidecar --app-id web --app-port 8080 --http-port 3500');
  command.action(async (options: { supervised?: boolean }) => {
    const settings = readFlags(raw, host);
    if (!settings.ok) return refuse(settings.error, host, finish);
    const { sidecarCommand } = await import('./sidecar-command.ts');
    finish(await sidecarCommand(settings.value, options.supervised === true, host));
  });
}

/** What a caller without an app of its own can be told. */
const CALL_FLAGS: readonly FlagName[] = [
  'namespace',
  'nameResolution',
  'peer',
  'peerListenAddress',
  'sentryAddress',
  'trustAnchorsFile',
  'tokenFile',
  'trustDomain',
  'logLevel',
  'logFormat',
];

function addCall(program: Command, host: Host, finish: Finish): void {
  const command = program
    .command('call')
    .description("Call an app's method, and print the answer.")
    .argument('<APP>', 'whom to call: app or app.namespace')
    .argument('<METHOD>', 'the path at the app, such as orders/7?full=1')
    .option('-d, --data <DATA>', 'the request body; @FILE for a file, - for the standard input')
    .option('-X, --verb <VERB>', 'the HTTP verb (default: GET, or POST with data)')
    .option('-H, --header <HEADER>', "a request header, such as 'accept: text/html'; may be repeated", append)
    .option('--as <APP-ID>', 'the app id to call as', 'invokectl')
    .option('-i, --include', 'print the status line and the headers too');
  const raw = addFlags(command, CALL_FLAGS, { logLevel: CALL_LOG_LEVEL });
  command.addHelpText(
    'after',
    `
Examples:
  invokectl call orders orders/7
  invokectl call orders orders -d '{"item":"tea"}' --as web

Exit codes: 0 for an answer, 1 for an app's own error (4xx, 5xx), 69 when the call did not come through.`,
  );
  command.action(async (app: string, method: string, options: CallOptions) => {
    const call = readCall(app, method, options, raw, host);
    if (!call.ok) return refuse(call.error, host, finish);
    const { callCommand } = await import('./call.ts');
    finish(await callCommand(call.value, host));
  });
}

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function addList(program: Command, host: Host, finish: Finish): void {
  program
    .command('list')
    .alias('ls')
    .description('Show the apps that run on this machine.')
    .option('-n, --namespace <NAME>', 'of this namespace alone', 'default')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-o, --output <FORMAT>', `one of ${LIST_FORMATS.join(', ')}`, 'table')
    .addHelpText('after', '\nExample:\n  invokectl list -A -o json')
    .action(async (options: { namespace: string; allNamespaces?: boolean; output: string }) => {
      const namespace = readNamespace(options);
      const format = parseOneOf(LIST_FORMATS)(options.output);
      const mistakes = [
        ...(namespace.ok ? [] : [`--namespace: ${namespace.error}`]),
        ...(format.ok ? [] : [`--output: ${format.error}`]),
      ];
      if (!namespace.ok || !format.ok) return refuse(mistakes, host, finish);
      const { listCommand } = await import('./records.ts');
      finish(await listCommand(namespace.value, format.value, host));
    });
}

/** Undefined stands for all of them. */
function readNamespace(options: { namespace: string; allNamespaces?: boolean }): Result<Namespace | undefined> {
  return options.allNamespaces ? ok(undefined) : parseNamespace(options.namespace);
}

interface StopOptions {
  readonly namespace: string;
  readonly all?: boolean;
  readonly timeout: string;
}

function addStop(program: Command, host: Host, finish: Finish): void {
  program
    .command('stop')
    .description('Stop apps that were started with "invokectl run", and their sidecars; also sidecars that run alone.')
    .argument('[APP...]', 'what to stop')
    .option('-n, --namespace <NAME>', 'where it runs', 'default')
    .option('--all', 'everything, in all namespaces')
    .option('--timeout <DURATION>', 'how long to wait for the end', '15s')
    .addHelpText('after', '\nExample:\n  invokectl stop web orders')
    .action(async (apps: string[], options: StopOptions) => {
      const namespace = readNamespace({ namespace: options.namespace, allNamespaces: options.all === true });
      const timeoutMs = parseTtl(options.timeout);
      const mistakes = [
        ...(namespace.ok ? [] : [`--namespace: ${namespace.error}`]),
        ...(timeoutMs.ok ? [] : [`--timeout: ${timeoutMs.error}`]),
        ...(apps.length > 0 === (options.all === true) ? ['name the apps to stop, or give --all'] : []),
      ];
      if (!namespace.ok || !timeoutMs.ok || mistakes.length > 0) return refuse(mistakes, host, finish);
      const { stopCommand } = await import('./records.ts');
      const wanted = options.all ? undefined : apps;
      finish(await stopCommand({ apps: wanted, namespace: namespace.value, timeoutMs: timeoutMs.value }, host));
    });
}

function addSentry(program: Command, host: Host, finish: Finish): void {
  program
    .command('sentry')
    .description('Serve a certificate authority, for sidecars on several machines.')
    .requiredOption('--state <DIR>', 'where its keys and its trust anchors lie')
    .option('--listen <HOST:PORT>', 'where sidecars ask for certificates', '127.0.0.1:50003')
    .option('--trust-domain <NAME>', 'the realm that it speaks for', 'cluster.local')
    .option('--workload-cert-ttl <DURATION>', 'how long certificates hold (default: 24h)')
    .option('--insecure', 'believe whoever asks; on a loopback address alone')
    .option('--jwks-file <FILE>', 'believe tokens signed by these keys')
    .option('--jwks-url <URL>', 'the same, fetched over https')
    .option('--jwks-audience <NAME>', "whom tokens must be for (default: the authority's SPIFFE ID)")
    .option('--jwks-issuer <NAME>', 'who must have issued them (default: anybody)')
    .addHelpText('after', '\nExample:\n  invokectl sentry --state ./ca --listen 0.0.0.0:50003 --jwks-file keys.json')
    .action(async (options: SentryOptions) => {
      const { sentryCommand } = await import('./sentry-command.ts');
      finish(await sentryCommand(options, host));
    });
}

function addUninstall(program: Command, host: Host, finish: Finish): void {
  program
    .command('uninstall')
    .description('Take Invoke out of the cluster that KUBECONFIG names, and say what stays there.')
    .option('-n, --namespace <NAME>', 'where the chart is installed', 'invoke-system')
    .option('--release <NAME>', "the chart's release", 'invoke')
    .option('--dry-run', 'only say what would stay')
    .addHelpText('after', '\nExample:\n  invokectl uninstall --dry-run')
    .action(async (options: { namespace: string; release: string; dryRun?: boolean }) => {
      const namespace = parseNamespace(options.namespace);
      if (!namespace.ok) return refuse([`--namespace: ${namespace.error}`], host, finish);
      const { uninstallCommand } = await import('./uninstall.ts');
      const { release, dryRun: isDryRun = false } = options;
      finish(await uninstallCommand({ namespace: namespace.value, release, isDryRun }, host));
    });
}

function addCompletion(program: Command, host: Host, finish: Finish): void {
  program
    .command('completion')
    .description('Print a script that completes commands and flags in a shell.')
    .argument('<SHELL>', `one of ${SHELLS.join(', ')}`)
    .addHelpText('after', '\nExample:\n  source <(invokectl completion bash)')
    .action((text: string) => {
      const shell = parseOneOf(SHELLS)(text);
      if (!shell.ok) return refuse([shell.error], host, finish);
      host.stdout.write(completionScript(program, shell.value));
    });
}
