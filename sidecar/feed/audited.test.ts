// What a sidecar tells the operator of calls that policies in audit mode would have denied: seldom, once, and never of a policy that
// has been edited since.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import { canonicalPath } from '../../api/path.ts';
import type { FeedMessage } from '../../api/proto/feed.ts';
import { FEED_AUDITS_MAX } from '../../api/proto/feed-audits.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { snapshot } from '../../kit/snapshot.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import type { AccessCall } from '../../policy/access/call.ts';
import { defaultOfPolicy, type Ground } from '../../policy/access/verdict.ts';
import { startFeed } from './client.ts';
import type { FeedClient } from './feed.ts';
import { configMessage, startTestOperator, type TestOperator } from './testing-operator.ts';

const ca = throwawayCa();
const id = (path: string) => must(parseSpiffeId(`spiffe://cluster.local/ns/${path}`));
const [operatorId, orders, web] = [id('invoke-system/invoke-operator'), id('shop/orders'), id('front/web')];

let operator: TestOperator;
let clock: ManualClock;
let client: FeedClient;
beforeEach(async () => {
  clock = manualClock();
  operator = await startTestOperator(ca.issue(operatorId));
  client = startFeed({
    ...{ address: operator.address, operator: operatorId, self: orders, clock, log: silentLog },
    credentials: snapshot(ca.issue(orders)),
    ...{ snapshotFile: undefined, random: () => 0.5, sidecarVersion: '1.2.3' },
  });
});
afterEach(async () => {
  client.stop();
  await operator.close();
});

function config(names: readonly string[] = ['next'], generation = 1, version = 1): FeedMessage {
  const message = configMessage(ca.anchors, { names, version });
  if (message.part?.kind !== 'config') throw new Error('it is a config');
  const resources = message.part.config.resources.map((one) => ({ ...one, generation }));
  return { ...message, part: { kind: 'config', config: { ...message.part.config, resources } } };
}

/** The `count`th stream, once the client has its config. */
async function live(count = 1, message = config()) {
  const stream = await operator.subscribed(count);
  stream.tell(message);
  await expect.poll(() => client.state().kind).toBe('live');
  return stream;
}

const rule = (name: string): Ground => ({ kind: 'rule', name });
const callTo = (path: string): AccessCall => ({
  kind: 'http',
  caller: web,
  method: 'GET',
  path: must(canonicalPath(path)),
});

test('the first call of some is told after ten seconds, with how many there were and how long ago the last was', async () => {
  const stream = await live();
  client.audited(rule('shop/next/no'), callTo('/orders/7'));
  clock.advance(4000);
  client.audited(rule('shop/next/no'), callTo('/orders/8'));
  client.audited(defaultOfPolicy('shop/next'), { ...callTo('/shop.Orders/Get'), kind: 'grpc' });
  clock.advance(6000);
  const [, told] = await stream.said(2);
  const common = { policy: 'next', generation: 1, caller: 'spiffe://cluster.local/ns/front/web' };
  expect(told).toEqual({
    audits: [
      { ...common, deniedBy: 'shop/next/no', count: 2, ageMs: 6000, operation: 'GET /orders/7' },
      { ...common, deniedBy: 'default of shop/next', count: 1, ageMs: 6000, operation: 'GRPC /shop.Orders/Get' },
    ],
  });
  // Each call is told once. By the time that this config is there, the connection has proven that it lives.
  stream.tell(config(['next'], 1, 2));
  await expect.poll(() => client.config.current()?.versions.get('AccessPolicy')).toBe(2);
  client.audited(rule('shop/next/no'), callTo('/orders/9'));
  clock.advance(10_000);
  const [, , later] = await stream.said(3);
  expect(later?.audits).toMatchObject([{ count: 1, operation: 'GET /orders/9' }]);
});

test('while nobody listens it is kept, and told to who comes next', async () => {
  const stream = await live();
  client.audited(rule('shop/next/no'), callTo('/orders/7'));
  clock.advance(9_950);
  stream.end(14, 'stopping');
  await expect.poll(() => client.state().kind).toBe('stale');
  clock.advance(50);
  clock.advance(50);
  const next = await live(2);
  clock.advance(9_950);
  const [, told] = await next.said(2);
  expect(told?.audits).toMatchObject([{ count: 1, ageMs: 20_000 }]);
});

test('what an older version of a policy would have denied is not told of the newer one', async () => {
  const stream = await live();
  client.audited(rule('shop/next/no'), callTo('/orders/7'));
  stream.tell(config(['next', 'other'], 2, 2));
  await expect.poll(() => client.config.current()?.resources.length).toBe(2);
  client.audited(rule('shop/other/no'), callTo('/orders/7'));
  clock.advance(10_000);
  const [, told] = await stream.said(2);
  expect(told?.audits).toMatchObject([{ policy: 'other', generation: 2, count: 1 }]);
});

test('what is told has an end, however many rules there are and however long a path is', async () => {
  const names = Array.from({ length: 100 }, (_, i) => `p${i}`);
  const stream = await live(1, config(names));
  for (const name of names) client.audited(rule(`shop/${name}/no`), callTo(`/${'x'.repeat(10_000)}`));
  clock.advance(10_000);
  const [, told] = await stream.said(2);
  expect(told?.audits).toHaveLength(FEED_AUDITS_MAX);
  expect(told?.audits?.[0]?.operation.length).toBeLessThan(300);
});

test('of what is no policy of the operator nothing is told', async () => {
  const stream = await live();
  client.audited(rule('shop/unknown/no'), callTo('/orders/7'));
  client.audited({ kind: 'default', of: 'namespace', name: 'default of namespace shop' }, callTo('/orders/7'));
  client.audited(rule('shop/next/no'), callTo('/orders/8'));
  clock.advance(10_000);
  const [, told] = await stream.said(2);
  expect(told?.audits).toMatchObject([{ policy: 'next' }]);
});
