// For tests of commands that need no process of their own: what one printed and ended with, and a cluster that it finds.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Host } from './host.ts';
import { runCli } from './program.ts';
import { silentHost } from './testing.ts';

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command that ends by itself, on a host where nothing is but what is given of it. */
export async function ran(args: readonly string[], host: Partial<Host> = {}): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const exitCode = await runCli(args, { ...silentHost(), ...host, stdout, stderr });
  const text = async (stream: PassThrough) => (await stream.end().toArray()).join('');
  return { exitCode, stdout: await text(stdout), stderr: await text(stderr) };
}

/** The file `kubeconfig` in the folder, with one context, `test`, whose cluster is there. */
export function writeKubeconfig(folder: string, url: string): void {
  const kubeconfig = {
    clusters: [{ name: 'c', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'test',
  };
  writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
}
