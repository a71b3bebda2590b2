// What a replica does about a sidecar that knows more than it.
import { expect, test } from 'vitest';
import { parseNamespace } from '../../api/ids.ts';
import { silentLog } from '../../kit/log.ts';
import { err, must, ok } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { memoryStore } from '../testing-stores.ts';
import { catchUpWith } from './catch-up.ts';
import { Epoch } from './epoch.ts';

/** A replica whose one store answers lists when told. */
function replica() {
  const clock = manualClock();
  const store = memoryStore();
  const lists: { finish(version: number): void }[] = [];
  const relist = () =>
    new Promise<void>((done) => {
      lists.push({
        finish(version) {
          store.pretend({ version });
          done();
        },
      });
    });
  const created: unknown[] = [];
  const kube = {
    get: async () => err({ kind: 'not-found', message: 'none' } as const),
    create: async <T>(_kind: unknown, object: T) => {
      created.push(object);
      return ok(object);
    },
    replace: async () => err({ kind: 'failed', message: 'not here' } as const),
  };
  const namespace = must(parseNamespace('invoke-system'));
  const epoch = new Epoch({ kube, namespace, clock, log: silentLog });
  const stores = new Map([['AccessPolicy', { ...store, relist }]]);
  const catchUp = catchUpWith({ stores, synced: Promise.resolve(), epoch, clock });
  const hello = (version: number, of = 1) => ({
    epoch: of,
    versions: [{ kind: 'AccessPolicy', version }],
    sidecarVersion: 'test',
  });
  return { clock, store, lists, epoch, catchUp, hello, created };
}

const began = (lists: readonly unknown[], count: number) => expect.poll(() => lists.length).toBe(count);

test('who knows nothing more is answered without a list', async () => {
  const { catchUp, hello, lists, store } = replica();
  store.pretend({ version: 5 });
  expect(await catchUp(hello(5))).toMatchObject({ ok: true });
  expect(await catchUp({ epoch: 0, versions: [], sidecarVersion: '' })).toMatchObject({ ok: true });
  expect(await catchUp({ ...hello(5), versions: [{ kind: 'Unheard', version: 99 }] })).toMatchObject({ ok: true });
  expect(lists).toHaveLength(0);
});

test('many who ask together share a list, and one that began before is not enough', async () => {
  const { catchUp, hello, lists, clock, epoch } = replica();
  const first = [catchUp(hello(5)), catchUp(hello(5)), catchUp(hello(5))];
  await began(lists, 1);
  const later = [catchUp(hello(9)), catchUp(hello(9))];
  lists[0]?.finish(5);
  await Promise.all(first);
  expect(lists).toHaveLength(1);
  await expect.poll(() => clock.waiting().length).toBeGreaterThan(2);
  clock.advance(1000);
  await began(lists, 2);
  lists[1]?.finish(9);
  expect(await Promise.all(later)).toMatchObject([{ ok: true }, { ok: true }]);
  expect(epoch.current()).toBe(1);
});

test('a list that takes too long sends the sidecar elsewhere', async () => {
  const { catchUp, hello, lists, clock, created } = replica();
  const asked = catchUp(hello(5));
  await began(lists, 1);
  clock.advance(10_000);
  expect(await asked).toMatchObject({ ok: false, error: expect.stringContaining('another may have') });
  expect(created).toEqual([]);
});

test('who is still ahead after a list begins an epoch; who comes from an older epoch does not', async () => {
  const { catchUp, hello, lists, epoch, created, clock } = replica();
  const asked = catchUp(hello(1000));
  await began(lists, 1);
  lists[0]?.finish(400);
  expect(await asked).toMatchObject({ ok: true });
  expect(epoch.current()).toBe(clock.now());
  expect(await catchUp(hello(1000))).toMatchObject({ ok: true });
  expect(created).toHaveLength(1);
  expect(lists).toHaveLength(1);
});
