// The operator's program: what it says, and with what it ends, when it cannot start.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { expect, test } from 'vitest';

const ENVIRONMENT = {
  INVOKE_NAMESPACE: 'invoke-system',
  POD_NAME: 'operator-1',
  INVOKE_TRUST_DOMAIN: 'cluster.local',
  INVOKE_CLUSTER_DOMAIN: 'cluster.local',
  INVOKE_MUTATING_WEBHOOK: 'invoke',
  INVOKE_VALIDATING_WEBHOOK: 'invoke',
  INVOKE_SIDECAR_IMAGE: 'sidecar:1',
};

function run(env: Record<string, string>): Promise<{ readonly code: unknown; readonly said: readonly string[] }> {
  return new Promise((settle) => {
    execFile(execPath, [join(import.meta.dirname, 'main.ts')], { env }, (error, stdout) => {
      const lines = stdout.trim().split('\n');
      settle({ code: error === null ? 0 : error.code, said: lines.map((line) => JSON.parse(line).message) });
    });
  });
}

test('with an environment that makes no sense it ends with 64 and names every variable', async () => {
  const { code, said } = await run({ ...ENVIRONMENT, POD_NAME: '', INVOKE_FEED_PORT: 'x' });
  expect(code).toBe(64);
  expect(said).toEqual([expect.stringMatching(/^POD_NAME is not set/), expect.stringMatching(/^INVOKE_FEED_PORT /)]);
});

test('without credentials for an API server it ends with 1 and says so', async () => {
  const { code, said } = await run({ ...ENVIRONMENT, KUBECONFIG: join(import.meta.dirname, 'no-such-file') });
  expect(code).toBe(1);
  expect(said).toEqual([
    expect.stringMatching(/^the credentials for the Kubernetes API cannot be read: .*no-such-file/),
  ]);
});
