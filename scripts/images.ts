// Builds the container images of Invoke: npm run images -- --tag TAG [--registry REGISTRY] [--part PART]...
//
// Each part is bundled into build/images/PART, and that folder is the context of an image build. The command for it comes from
// IMAGE_BUILD and is called as `$IMAGE_BUILD NAME:TAG CONTEXT [BUILD-ARGUMENT...]`; `docker build --tag` by default.
import { spawnSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import packageJson from '../package.json' with { type: 'json' };
import { PART_NAMES, type Part, ROOT, writeBundle } from './images/bundle.ts';

interface Order {
  readonly parts: readonly Part[];
  readonly registry: string;
  readonly tag: string;
}

function readOrder(): Order {
  const { values } = parseArgs({
    options: {
      tag: { type: 'string' },
      registry: { type: 'string', default: '' },
      part: { type: 'string', multiple: true, default: [...PART_NAMES] },
    },
  });
  if (values.tag === undefined) throw new Error('--tag is missing; say npm run images -- --tag 0.1.0');
  const unknown = values.part.filter((name) => !isPart(name));
  if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(', ')}; there are ${PART_NAMES.join(', ')}`);
  return { parts: values.part.filter(isPart), registry: values.registry.replace(/\/+$/, ''), tag: values.tag };
}

function isPart(name: string): name is Part {
  return PART_NAMES.some((part) => part === name);
}

async function buildImage(part: Part, { registry, tag }: Order): Promise<void> {
  const context = join(ROOT, 'build/images', part);
  rmSync(context, { recursive: true, force: true });
  await writeBundle(part, join(context, 'app'));
  copyFileSync(join(ROOT, 'Dockerfile'), join(context, 'Dockerfile'));
  const name = `${registry === '' ? '' : `${registry}/`}invoke-${part}:${tag}`;
  const labels = { PART: part, VERSION: packageJson.version, REVISION: revision() };
  const buildArguments = Object.entries(labels).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  runBuild([name, context, ...buildArguments]);
  console.log(`built ${name}`);
}

/** IMAGE_BUILD may be several words, so a shell splits it, as it does with EDITOR. */
function runBuild(given: readonly string[]): void {
  const command = process.env.IMAGE_BUILD || 'docker build --tag';
  const { status, error } = spawnSync('sh', ['-c', `${command} "$@"`, 'sh', ...given], { stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`"${command} ${given.join(' ')}" failed; its own words are above`);
}

/** Which commit this is; empty outside of a git checkout. */
function revision(): string {
  return spawnSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).stdout?.trim() ?? '';
}

async function main(): Promise<void> {
  const order = readOrder();
  for (const part of order.parts) await buildImage(part, order);
}

await main().catch((thrown: unknown) => {
  console.error(`images: ${thrown instanceof Error ? thrown.message : thrown}`);
  process.exitCode = 1;
});
