// What invokectl says of itself, and to those who mistype.
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { reportBug } from './program.ts';
import { silentHost } from './testing.ts';
import { ran } from './testing-commands.ts';

/** Runs a command that is over before it starts anything. */
async function usage(...args: readonly string[]) {
  const { stderr, ...rest } = await ran(args);
  return { ...rest, stderr: stderr.split('\n').slice(0, -1) };
}

const COMMANDS = [
  'run',
  'sidecar',
  'call',
  'list',
  'stop',
  'resiliency',
  'sentry',
  'explain',
  'policy',
  'check',
  'version',
  'completion',
];

test('help and version are asked for, and no mistake', async () => {
  const help = await usage('--help');
  expect(help.exitCode).toBe(0);
  for (const command of COMMANDS) expect(help.stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  expect(await usage('--version')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  expect(await usage('version')).toEqual(await usage('--version'));
});

test.each(COMMANDS.filter((command) => command !== 'version'))(
  'the help of %s shows how it is used',
  async (command) => {
    const { exitCode, stdout } = await usage(command, '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:\n  .*invokectl ${command} `));
  },
);

test('without a command there is help, and a failure', async () => {
  const { exitCode, stderr } = await usage();
  expect(exitCode).toBe(64);
  expect(stderr).toContain('First steps:');
});

test.each<[string, string[]]>([
  ['lst', ["unknown command 'lst' (Did you mean one of list, ls?)"]],
  ['help lst', ["unknown command 'lst' (Did you mean one of list, ls?)"]],
  ['frobnicate', ["unknown command 'frobnicate'; --help shows which there are"]],
  ['run --bogus', ["unknown option '--bogus'; --help shows which there are"]],
  ['run --app-id', ["option '-a, --app-id <ID>' argument missing; --help shows an example"]],
  ['list web', [expect.stringMatching(/^too many arguments for 'list'.*: web.?; --help shows an example$/)]],
  ['run -a web', ['there is no command to run; write it after --, or use "invokectl sidecar"']],
  [
    'run -a W -p x -- true',
    [
      '--app-id: "W" is not an app id; use lower-case letters, digits and dashes, starting with a letter, at most 56 characters',
      '--app-port: "x" is not a port; give a number from 1 to 65535',
    ],
  ],
  ['sidecar', ['--app-id is missing; name this app, such as --app-id web']],
  ['call web', [expect.stringMatching(/^missing required argument 'METHOD'; --help/)]],
  ['call web x -H nocolon', ['--header: "nocolon" is not a header; write name: value']],
  [
    'call web x -X GE/T --as A',
    [
      expect.stringMatching(/^--as: "A" is not an app id/),
      '--verb: no sidecar passes on the verb "GE/T"; did you mean GET?',
    ],
  ],
  ['call https://x.example y', [expect.stringMatching(/is no app, .* start a sidecar/)]],
  ['call a.b.c x', ['"a.b.c" is not an app id; write app or app.namespace']],
  ['list -o xml', ['--output: "xml" is none of table, json, yaml']],
  ['stop', ['name the apps to stop, or give --all']],
  ['stop web --all', ['name the apps to stop, or give --all']],
  ['sentry --listen 0.0.0.0:0 --insecure', ["required option '--state <DIR>' not specified; --help shows an example"]],
  [
    'sentry --state x --listen 0.0.0.0:0 --insecure',
    [expect.stringContaining('listen on 127.0.0.1, or give --jwks-file')],
  ],
  ['sentry --state x', [expect.stringContaining('--jwks-file or --jwks-url, or --insecure')]],
  [
    'sentry --state x --listen y --jwks-file a --jwks-url b --trust-domain A/',
    [
      expect.stringMatching(/^--trust-domain: /),
      expect.stringMatching(/^--listen: "y" is not an address/),
      '--jwks-file and --jwks-url: give one of the two',
    ],
  ],
  ['explain web.front GET orders.shop', [expect.stringMatching(/^missing required argument 'PATH'; --help/)]],
  [
    'explain W GET a.b.c orders -n X --trust-domain / --default-access maybe -o xml',
    [
      expect.stringMatching(/^--namespace: "X" is not a namespace/),
      expect.stringMatching(/^--trust-domain: "\/" is not a trust domain/),
      '--default-access: "maybe" is none of allow, deny',
      '--output: "xml" is none of text, json',
    ],
  ],
  [
    'explain W GTE a.b.c /orders',
    [
      expect.stringMatching(/^the caller: "W" is not an app id/),
      expect.stringMatching(/^the app that is called: "a.b.c" is not an app id/),
      'the call: no sidecar passes on the verb "GTE"; did you mean GET?',
    ],
  ],
  ['explain a GET b orders', ['the call: "orders" is no path; a path begins with a slash, such as /orders/7']],
  ['explain a GET b /%', [expect.stringMatching(/^the call: a sidecar refuses \/%: the path has a percent sign/)]],
  ['explain a GRPC b /dapr.proto.X/Y', [expect.stringMatching(/^the call: this sidecar does not serve/)]],
  ['explain a GET b / -f x --context y', [expect.stringMatching(/^--kubeconfig and --context: they name a cluster/)]],
  [
    'check -n X --control-plane Y -o xml',
    [
      expect.stringMatching(/^--namespace: "X" is/),
      expect.stringMatching(/^--control-plane: "Y" is/),
      expect.stringMatching(/^--output: "xml" is/),
    ],
  ],
  ['policy tst', ["unknown command 'tst' (Did you mean test?)"]],
  ['policy test', [expect.stringMatching(/^missing required argument 'FILE'; --help/)]],
  ['policy learn --trust-domain /', [expect.stringMatching(/^--trust-domain: /)]],
  ['completion tcsh', ['"tcsh" is none of bash, zsh, fish']],
])('invokectl %s: every mistake is one line, and the exit code is 64', async (line, mistakes) => {
  const { exitCode, stderr } = await usage(...line.split(' '));
  expect(stderr.map((said) => said.replace(/^invokectl: /, ''))).toEqual(mistakes);
  expect(exitCode).toBe(64);
});

test('what nobody expected is one line, with the stack for those who ask', async () => {
  const said = (args: readonly string[]) => {
    const stderr = new PassThrough();
    expect(reportBug(new Error('broken\nwidely'), args, { ...silentHost(), stderr })).toBe(70);
    return stderr.read().toString();
  };
  expect(said(['run'])).toBe('invokectl: broken (this is a bug in invokectl; --log-level debug tells more)\n');
  expect(said(['run', '--log-level', 'debug'])).toContain('usage.test.ts');
});
