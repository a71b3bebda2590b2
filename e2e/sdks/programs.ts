// For tests: programs on Dapr's SDKs, as people start them: by `invokectl run`, with nothing set but what that sets.
import { copyFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { execPath } from 'node:process';
import { beforeAll } from 'vitest';
import { type AtEnd, type Cli, startProgram, throwawayFolder } from '../../cli/testing.ts';
import { findProgram } from '../../wire/testing/programs.ts';
import { endOfGroup, type Machine, machine } from '../machine.ts';
import { isInstalled, JS_SDK, PYTHON_SDK, SDKS } from './installed.ts';

export type Command = readonly string[];
/** One thing that a client is to do; see its program. */
export type Step = Readonly<Record<string, unknown>>;
export type Outcome = Readonly<Record<string, unknown>>;
/** What a client and its sidecar, or a sidecar and its app, speak. */
export type Protocol = 'http' | 'grpc';

/** Then tests with them are skipped; which are missing is said before all tests. */
export const areMissing = SDKS.some((sdk) => !isInstalled(sdk));

/** A program in Python. `env` is a command, too. */
export function python(file: string, env: Readonly<Record<string, string>> = {}): Command {
  const settings = Object.entries({ PYTHONPATH: PYTHON_SDK.folder, ...env }).map(([name, value]) => `${name}=${value}`);
  return ['env', ...settings, findProgram('python3') ?? 'python3', file];
}

/** A program in JavaScript; it is copied to where Node finds the SDK beside it. */
export function javascript(file: string, args: readonly string[] = [], atEnd?: AtEnd): Command {
  const folder = throwawayFolder('js-sdk', atEnd);
  symlinkSync(join(JS_SDK.folder, 'node_modules'), join(folder, 'node_modules'));
  const copy = join(folder, basename(file));
  copyFileSync(file, copy);
  return [execPath, copy, ...args];
}

const here = (path: string) => join(import.meta.dirname, path);

/** Each app answers `echo` with what it has got, and breaks at `fail`. */
export const APPS = {
  'py-http': { protocol: 'http', command: () => python(here('python/http_app.py')) },
  'py-grpc': { protocol: 'grpc', command: () => python(here('python/grpc_app.py')) },
  'js-http': { protocol: 'http', command: (atEnd?: AtEnd) => javascript(here('js/app.mjs'), ['http'], atEnd) },
  'js-grpc': { protocol: 'grpc', command: (atEnd?: AtEnd) => javascript(here('js/app.mjs'), ['grpc'], atEnd) },
} as const;

export const CLIENTS = {
  'py-http': (_atEnd?: AtEnd) => python(here('python/client.py')),
  'py-grpc': (_atEnd?: AtEnd) => python(here('python/client.py'), { DAPR_API_METHOD_INVOCATION_PROTOCOL: 'grpc' }),
  'js-http': (atEnd?: AtEnd) => javascript(here('js/client.mjs'), ['http'], atEnd),
  'js-grpc': (atEnd?: AtEnd) => javascript(here('js/client.mjs'), ['grpc'], atEnd),
} as const;

export type AppName = keyof typeof APPS;
export type ClientName = keyof typeof CLIENTS;

export interface Options {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly atEnd?: AtEnd;
}

/** A machine with these apps, for all tests of a group. */
export function laptopWith(names: readonly AppName[], options: Options = {}): () => Machine {
  const atEnd = endOfGroup();
  let laptop: Machine | undefined;
  beforeAll(async () => {
    const started = machine(atEnd);
    await Promise.all(names.map((name) => startApp(started, name, { ...options, atEnd })));
    laptop = started;
  });
  return () => {
    if (laptop === undefined) throw new Error('the apps could not be started');
    return laptop;
  };
}

const GRPC_PORT = ['--grpc-port', '0'];

/** An app under its own name; it can be called when this is done. */
export function startApp(laptop: Machine, name: AppName, { flags = [], env = {}, atEnd }: Options = {}) {
  const { protocol, command } = APPS[name];
  return laptop.runCommand(name, command(atEnd), ['--app-protocol', protocol, ...GRPC_PORT, ...flags], env);
}

/** Has a client do these things, one after the other, with a sidecar of its own that ends with it. */
export async function outcomesOf(
  laptop: Machine,
  client: ClientName,
  steps: readonly Step[],
  { flags = [], env = {}, atEnd }: Options = {},
): Promise<Outcome[]> {
  const ports = ['--http-port', '0', '--metrics-port', '0', ...GRPC_PORT];
  const command = [...CLIENTS[client](atEnd), JSON.stringify(steps)];
  const cli = laptop.invokectlWith(env, 'run', '--app-id', 'caller', ...ports, ...flags, '--', ...command);
  return outcomesOfEnded(cli);
}

async function outcomesOfEnded(client: Cli): Promise<Outcome[]> {
  await client.ended;
  const said = Buffer.from(client.stdout(), 'latin1').toString();
  const json = /OUTCOMES (.*)\n/.exec(said)?.[1];
  if (json === undefined) throw new Error(`the client ended without outcomes:\n${said}\n${client.stderr()}`);
  return JSON.parse(json);
}

export interface SeparateClient {
  readonly program: Cli;
  outcomes(): Promise<Outcome[]>;
}

/** A client that nobody runs but the test, for a sidecar that it is told of as Dapr tells it. */
export function separateClient(
  client: ClientName,
  steps: readonly Step[],
  ports: { readonly httpPort: number; readonly grpcPort: number },
  env: Readonly<Record<string, string>> = {},
): SeparateClient {
  const [path = '', ...args] = CLIENTS[client]();
  const told = { DAPR_HTTP_PORT: String(ports.httpPort), DAPR_GRPC_PORT: String(ports.grpcPort) };
  const program = startProgram(path, [...args, JSON.stringify(steps)], { PYTHONUNBUFFERED: '1', ...told, ...env });
  return { program, outcomes: () => outcomesOfEnded(program) };
}
