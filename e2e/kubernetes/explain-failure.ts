// After a test that failed: the logs and events that explain it, because the cluster is gone when somebody reads the report.
import { afterEach } from 'vitest';
import { run } from './kubectl.ts';

const LINES = 60;

afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  const parts = [`\n==== what the cluster says after "${task.name}"`];
  parts.push(await said('get', 'pods', '-A', '-o', 'wide'));
  parts.push(await said('get', 'events', '-A', '--sort-by=.lastTimestamp').then(lastLines));
  for (const part of ['invoke-operator', 'invoke-sentry']) {
    const selector = ['-n', 'invoke-system', '-l', `app.kubernetes.io/name=${part}`];
    parts.push(`-- ${part}`, await said('logs', ...selector, '--all-containers', '--prefix', `--tail=${LINES}`));
  }
  for (const pod of await meshedPods()) {
    parts.push(`-- ${pod.join('/')}`, await said('logs', '-n', pod[0], pod[1], '-c', 'invoke-sidecar', '--tail=25'));
  }
  console.error(parts.join('\n'));
}, 60_000);

async function meshedPods(): Promise<readonly (readonly [string, string])[]> {
  const names = '{range .items[*]}{.metadata.namespace} {.metadata.name}{"\\n"}{end}';
  const listed = await said('get', 'pods', '-A', '-l', 'invoke.io/app-id', '-o', `jsonpath=${names}`);
  return listed
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([where, name]) => (where && name ? [[where, name] as const] : []))
    .slice(0, 12);
}

async function said(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run('kubectl', args);
  return stdout + stderr;
}

function lastLines(text: string): string {
  return text.split('\n').slice(-LINES).join('\n');
}
