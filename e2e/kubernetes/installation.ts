// The chart on the cluster, as the install page says it is put there.
import { join } from 'node:path';
import { helm, run } from './kubectl.ts';

export const CONTROL_PLANE = 'invoke-system';
export const CHART = join(import.meta.dirname, '../../charts/invoke');
/** Of the images that main.ts built. */
export const TAG = process.env.E2E_TAG ?? 'e2e';

/** Installs or upgrades, and returns when helm says that it can be used. */
export async function install(...values: readonly string[]): Promise<void> {
  const sets = [`image.tag=${TAG}`, ...values].flatMap((value) => ['--set', value]);
  const place = ['-n', CONTROL_PLANE, '--create-namespace'];
  await helm('upgrade', '--install', 'invoke', CHART, ...place, ...sets, '--wait', '--timeout', '4m');
}

/** For a suite that is run alone. */
export async function ensureInstalled(): Promise<void> {
  const { status, stdout } = await run('helm', ['status', 'invoke', '-n', CONTROL_PLANE]);
  if (status !== 0 || !stdout.includes('STATUS: deployed')) await install();
}
