// `npm run e2e [-- SUITE...]`: builds the images, brings them and the suites to a cluster, and says how it went.
//
// The cluster is the one that KUBECONFIG names; its images are built and loaded by the command in IMAGE_BUILD (see
// CONTRIBUTING.md). Without KUBECONFIG, a kind cluster is made for the run, which takes Docker and kind, and is deleted after.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const KIND_CLUSTER = 'invoke-e2e';
const PARTS = ['sidecar', 'sentry', 'operator'];

function step(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean {
  console.log(`\n$ ${[file, ...args].join(' ')}`);
  const { status, error } = spawnSync(file, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } });
  if (error !== undefined) console.error(`${file} could not be started: ${error.message}`);
  return status === 0;
}

function main(suites: readonly string[]): number {
  const tag = process.env.E2E_TAG ?? 'e2e';
  const isOurs = process.env.KUBECONFIG === undefined;
  if (isOurs && !step('kind', ['create', 'cluster', '--name', KIND_CLUSTER, '--wait', '120s'])) {
    console.error('There is no cluster: set KUBECONFIG and IMAGE_BUILD, or install Docker and kind.');
    return 1;
  }
  try {
    if (!step('npm', ['run', '--silent', 'images', '--', '--tag', tag])) return 1;
    if (isOurs && !loadIntoKind(tag)) return 1;
    const config = join('e2e', 'kubernetes', 'vitest.config.ts');
    return step('vitest', ['run', '--config', config, ...suites], { E2E_TAG: tag }) ? 0 : 1;
  } finally {
    if (isOurs) step('kind', ['delete', 'cluster', '--name', KIND_CLUSTER]);
  }
}

function loadIntoKind(tag: string): boolean {
  const images = PARTS.map((part) => `invoke-${part}:${tag}`);
  return step('kind', [
    'load',
    'docker-image',
    '--name',
    KIND_CLUSTER,
    'docker.io/library/node:24-bookworm-slim',
    ...images,
  ]);
}

process.exit(main(process.argv.slice(2)));
