// The sidecar as its image has it: the bundle, and the flags and variables that the Dockerfile gives it. Only the paths that are
// mounted in a pod lead to a folder of our own.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../kit/result.ts';

const ROOT = join(import.meta.dirname, '../..');
const CONTEXT = join(ROOT, 'build/images/sidecar');

export interface Image {
  readonly bundle: string;
  readonly settings: ImageSettings;
}

export interface ImageSettings {
  /** Of Node. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Bundles the sidecar as `npm run images` does; no image is built. */
export function buildImage(): Result<Image> {
  const args = [join(ROOT, 'scripts/images.ts'), '--tag', 'bench', '--part', 'sidecar'];
  const env = { ...process.env, IMAGE_BUILD: 'true' };
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  if (status !== 0) return err(`the sidecar could not be bundled: ${stderr.trim()}`);
  const settings = readDockerfile(readFileSync(join(CONTEXT, 'Dockerfile'), 'utf8'));
  if (!settings.ok) return settings;
  return ok({ bundle: readFileSync(join(CONTEXT, 'app/program.cjs'), 'utf8'), settings: settings.value });
}

/** Of `ENTRYPOINT ["node", FLAG..., FILE]` and the lines `ENV NAME=VALUE...`. */
export function readDockerfile(text: string): Result<ImageSettings> {
  const lines = text.replace(/\\\n/g, ' ').split('\n');
  const entry = lines.findLast((line) => line.startsWith('ENTRYPOINT '));
  const [program, ...args]: unknown[] = entry === undefined ? [] : JSON.parse(entry.slice('ENTRYPOINT '.length));
  const flags = args.slice(0, -1).map(String);
  if (program !== 'node' || args.length === 0) return err('the Dockerfile does not start node by its ENTRYPOINT');
  const pairs = lines
    .filter((line) => line.startsWith('ENV '))
    .flatMap((line) => [...line.slice('ENV '.length).matchAll(/(\w+)=("[^"]*"|\S+)/g)])
    .map(([, name = '', value = '']) => [name, value.replace(/^"|"$/g, '')] as const);
  return ok({ flags, env: Object.fromEntries(pairs) });
}

/** Where the program finds what is mounted in a pod, once it is unpacked. */
export interface Unpacked {
  readonly program: string;
  readonly tokenFile: string;
  readonly trustAnchorsFile: string;
}

const MOUNTS = '/var/run/';
const RESOLV_CONF = '/etc/resolv.conf';

export function unpack({ bundle, settings }: Image, folder: string): Result<Unpacked> {
  const missing = [MOUNTS, RESOLV_CONF].find((path) => !bundle.includes(`"${path}`));
  if (missing !== undefined) return err(`the bundle of the sidecar names nothing under ${missing} any more`);
  const secrets = join(folder, 'secrets/invoke.io');
  for (const path of ['token', 'trust']) mkdirSync(join(secrets, path), { recursive: true });
  mkdirSync(join(folder, 'invoke'), { recursive: true });
  // Empty: the machine's own name servers are not to be asked for apps of a benchmark. The feed names them.
  const resolvConf = join(folder, 'resolv.conf');
  writeFileSync(resolvConf, '');
  for (const name of ['main.cjs', 'compile.cjs']) copyFileSync(join(CONTEXT, 'app', name), join(folder, name));
  writeFileSync(
    join(folder, 'program.cjs'),
    bundle.replaceAll(`"${MOUNTS}`, `"${folder}/`).replaceAll(`"${RESOLV_CONF}"`, `"${resolvConf}"`),
  );
  const compiled = spawnSync(process.execPath, [...settings.flags, join(folder, 'compile.cjs')], { encoding: 'utf8' });
  if (compiled.status !== 0) return err(`the sidecar could not be compiled: ${compiled.stderr}`);
  const mounted = {
    tokenFile: join(secrets, 'token/token'),
    trustAnchorsFile: join(secrets, 'trust/trust-anchors.crt'),
  };
  return ok({ program: join(folder, 'main.cjs'), ...mounted });
}
