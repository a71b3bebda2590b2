// For end-to-end suites: one laptop, with an INVOKE_HOME of its own, on which programs are run by bin/invokectl.
import { readFileSync } from 'node:fs';
import { afterAll, onTestFinished } from 'vitest';
import type { Env } from '../cli/host.ts';
import { type AtEnd, app, type Cli, startCli, throwawayFolder, untilGone } from '../cli/testing.ts';
import { freePort } from '../kit/testing/ports.ts';

export interface Program {
  readonly cli: Cli;
  /** Of the app API, without a slash at the end. */
  readonly url: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly peerPort: number;
  /** The sidecar's process. */
  readonly sidecarPid: number;
}

export interface Machine {
  readonly home: string;
  /** An app with its sidecar. `script` is an ES module; it finds its port in `process.env.APP_PORT`. */
  run(appId: string, script: string, flags?: readonly string[]): Promise<Program>;
  /** The same, for an app in any language. */
  runCommand(appId: string, command: readonly string[], flags?: readonly string[], env?: Env): Promise<Program>;
  /** A sidecar for a program that only calls: the test itself. */
  sidecar(appId: string, flags?: readonly string[], env?: Env): Promise<Program>;
  invokectl(...args: readonly string[]): Cli;
  /** With more in its environment. */
  invokectlWith(env: Env, ...args: readonly string[]): Cli;
}

/** What is started on it ends with the test, or as `atEnd` says. */
export function machine(atEnd: AtEnd = onTestFinished): Machine {
  const home = throwawayFolder('e2e', atEnd);
  const invokectlWith = (env: Env, ...args: readonly string[]) =>
    startCli(args, { INVOKE_HOME: home, ...env }, undefined, atEnd);
  const invokectl = (...args: readonly string[]) => invokectlWith({}, ...args);
  return {
    home,
    invokectl,
    invokectlWith,
    run: (appId, script, flags = []) => runCommand(appId, app(script), flags),
    runCommand,
    async sidecar(appId, flags = [], env = {}) {
      const own = ['--app-id', appId, '--metrics-port', '0', '--http-port', '0'];
      const cli = invokectlWith(env, 'sidecar', ...own, ...flags);
      await cli.printed(/certificate received/);
      return program(cli);
    },
  };

  async function runCommand(
    appId: string,
    command: readonly string[],
    flags: readonly string[] = [],
    env: Env = {},
  ): Promise<Program> {
    const appPort = String(await freePort());
    const own = ['--app-id', appId, '--app-port', appPort, '--metrics-port', '0', '--http-port', '0'];
    const cli = invokectlWith(env, 'run', ...own, ...flags, '--', ...command);
    await cli.printed(/the app listens/);
    return program(cli);
  }

  async function program(cli: Cli): Promise<Program> {
    const listening = /listening.*?http"?[=:](\d+).*?grpc"?[=:](\d+).*?peer"?[=:](\d+)/;
    const [, http = '', grpc = '', peer = ''] = await cli.printed(listening);
    const records: { httpPort: number; pid: number }[] = JSON.parse(
      await listed(invokectl('list', '-A', '-o', 'json')),
    );
    const pid = records.find((record) => record.httpPort === Number(http))?.pid ?? 0;
    const ports = { httpPort: Number(http), grpcPort: Number(grpc), peerPort: Number(peer) };
    return { cli, url: `http://127.0.0.1:${http}`, ...ports, sidecarPid: pid };
  }
}

async function listed(cli: Cli): Promise<string> {
  await cli.ended;
  return cli.stdout();
}

/** To be called where tests are described: what is started is kept for all of them. */
export function endOfGroup(): AtEnd {
  const ends: (() => void | Promise<void>)[] = [];
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });
  return (end) => ends.push(end);
}

/** Resident memory of a process in bytes: now, and at its highest (Linux, proc_pid_status(5)). */
export function memory(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (field: string) => Number(new RegExp(`${field}:\\s*(\\d+) kB`).exec(status)?.[1]);
  return { now: kib('VmRSS') * 1024, peak: kib('VmHWM') * 1024 };
}

export { untilGone };
