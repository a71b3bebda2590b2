// What a leader looks at, and that it lets go.
import { expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { renderMetrics } from '../../kit/metrics.ts';
import { err, ok } from '../../kit/result.ts';
import { lead } from './lead.ts';
import { reconcileMetrics } from './metrics.ts';
import type { Reconciler } from './reconciler.ts';

interface Fake extends Reconciler {
  readonly looked: string[];
  /** Something about it changed. */
  change(key: string): void;
  readonly followers: Set<(key: string) => void>;
  /** Settles when `count` keys have been looked at since the start. */
  until(count: number): Promise<void>;
}

function fake(reconcile: Reconciler['reconcile'] = async () => ok({ did: 'nothing' })): Fake {
  const looked: string[] = [];
  const followers = new Set<(key: string) => void>();
  const waiting = new Set<() => void>();
  return {
    name: 'fake',
    looked,
    followers,
    keys: () => ['a', 'b'],
    follow(look) {
      followers.add(look);
      return () => followers.delete(look);
    },
    async reconcile(key) {
      const done = await reconcile(key);
      looked.push(key);
      for (const tell of [...waiting]) tell();
      return done;
    },
    change(key) {
      for (const look of followers) look(key);
    },
    async until(count) {
      while (looked.length < count) {
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
    },
  };
}

function start(reconciler: Reconciler) {
  const metrics = reconcileMetrics();
  const controller = new AbortController();
  const deps = { clock: systemClock, random: () => 0, log: silentLog, metrics };
  const ended = lead([reconciler], controller.signal, deps);
  const page = () => renderMetrics(metrics.families);
  return { ended, page, stop: () => controller.abort() };
}

test('a leader looks at everything once, and then at what changes', async () => {
  const reconciler = fake();
  const { stop, ended, page } = start(reconciler);
  await reconciler.until(2);
  expect(page()).toContain('invoke_operator_leader 1');
  reconciler.change('c');
  await reconciler.until(3);
  expect(reconciler.looked).toEqual(['a', 'b', 'c']);
  stop();
  await ended;
  expect(page()).toContain('invoke_operator_leader 0');
});

test('who leads no more hears of nothing, and has ended only when its work has', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const reconciler = fake(async () => {
    await held;
    return ok({ did: 'applied' });
  });
  const { stop, ended } = start(reconciler);
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  stop();
  await Promise.resolve();
  expect(reconciler.followers.size).toBe(0);
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  release();
  await ended;
  expect(reconciler.looked).toEqual(['a', 'b']);
});

test('what fails is looked at again, and both outcomes are counted', async () => {
  let isBroken = true;
  const reconciler = fake(async () => {
    if (!isBroken) return ok({ did: 'applied' });
    isBroken = false;
    return err({ kind: 'unavailable', message: 'not now' });
  });
  const { stop, ended, page } = start(reconciler);
  await reconciler.until(3);
  stop();
  await ended;
  expect(page()).toContain('invoke_operator_reconciles_total{reconciler="fake",outcome="failed"} 1');
  expect(page()).toContain('invoke_operator_reconciles_total{reconciler="fake",outcome="applied"} 2');
  expect(page()).toContain('invoke_operator_queue_depth{reconciler="fake"} 0');
});

test('what asks to be looked at again is', async () => {
  let left = 1;
  const reconciler = fake(async () => ok(left-- > 0 ? { did: 'nothing', againInMs: 1 } : { did: 'nothing' }));
  const { stop, ended } = start(reconciler);
  await reconciler.until(3);
  stop();
  await ended;
});
