// The example of resiliency.md shows what the page's own Resiliency leads to, as invokectl prints it.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { expect, onTestFinished, test } from 'vitest';
import { canonicalPath } from '../api/path.ts';
import { readResiliency } from '../api/resources/resiliency.ts';
import { ran } from '../cli/testing-commands.ts';
import { must } from '../kit/result.ts';
import { manualClock } from '../kit/testing/clock.ts';
import { portOf } from '../kit/testing/ports.ts';
import { identity } from '../policy/access/testing/policies.ts';
import { compileOutbound } from '../policy/resiliency/compile.ts';
import { resilienceState } from '../sidecar/admin/resilience-state.ts';
import { Targets } from '../sidecar/resilience/targets.ts';

const page = readFileSync(join(import.meta.dirname, 'resiliency.md'), 'utf8');
const block = (language: string) => new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(page)?.[1] ?? '';

interface Written {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: unknown;
}

/** Three retries, an instance that failed, and payments that failed too often. */
function troubled(): Targets {
  const { metadata, spec } = load(block('yaml')) as Written;
  const object = { ...metadata, createdMs: 0, spec: must(readResiliency(spec)) };
  const { planFor } = compileOutbound(identity('web.front'), [object]);
  const targets = new Targets(
    (target) => ('origin' in target ? expect.fail() : planFor(target)),
    () => 0,
    manualClock(),
  );
  const instances = ['10.1.0.4', '10.1.0.5', '10.1.0.6'].map((host) => ({ host, port: 50002 }));
  const { plan, pool, budget, breakers } = targets.of(
    { target: identity('orders.shop'), endpoints: () => instances },
    0,
  );
  pool.update(instances, 0);
  const [well, ill] = pool.members();
  for (let failures = 0; failures < 5 && well && ill; failures++) {
    pool.answered(ill, 'failure', 0, 1);
    pool.answered(well, 'success', 0, 1);
  }
  for (let retries = 0; retries < 3; retries++) budget.tryRetry(0);
  const path = must(canonicalPath('/payments/7'));
  const breaker = breakers.of(plan.routes.of({ kind: 'http', method: 'POST', path }), path, 0);
  for (let calls = 0; calls < 20; calls++) breaker?.done(breaker.admit(0), 'failure', 0);
  breakers.of(plan.routes.of({ kind: 'http', method: 'GET', path: must(canonicalPath('/stock')) }), '/stock', 0);
  return targets;
}

test('what invokectl shows of a sidecar in trouble', async () => {
  const told = { id: 'web', resiliencies: [{ name: 'front' }], resilience: resilienceState(troubled(), 2000) };
  const server = createServer((_request, response) => response.end(JSON.stringify(told))).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((done) => server.once('listening', done));
  const { stdout: shown } = await ran(['resiliency', '--address', `127.0.0.1:${portOf(server)}`]);
  expect(`$ invokectl resiliency web\n${shown}`).toBe(block('console'));
});
