// Events say a thing once, where people look for it, and never too often.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../kit/log.ts';
import { type ManualClock, manualClock } from '../kit/testing/clock.ts';
import { type EventRecorder, eventRecorder } from './events.ts';
import { type ApiServer, startApiServer } from './testing/api-server.ts';
import { EVENTS, NAMESPACES, SERVICES } from './types.ts';

let api: ApiServer;
let clock: ManualClock;
let lines: string[];
let events: EventRecorder;

beforeEach(async () => {
  api = await startApiServer();
  clock = manualClock(Date.UTC(2026));
  lines = [];
  const log = createLog({ level: 'warn', format: 'text', write: (line) => lines.push(line), now: () => 0 });
  events = eventRecorder(api.kube, { controller: 'invoke.io/operator', instance: 'operator-1' }, { clock, log });
});
afterEach(() => api.stop());

const said = { type: 'Warning', reason: 'NameTaken', action: 'CreateService' } as const;
const service = (name: string, uid = 'uid-1') => ({ metadata: { name, namespace: 'shop', uid } });
const record = (name: string, note = 'taken', uid?: string) =>
  events.record({ kind: SERVICES, regarding: service(name, uid), ...said, note });

test('an event is where its object is, and names it', async () => {
  record('web-invoke');
  await events.stop();
  expect(api.objects(EVENTS)).toMatchObject([
    {
      metadata: { namespace: 'shop', name: expect.stringMatching(/^web-invoke\.[0-9a-f]+$/) },
      eventTime: '2026-01-01T00:00:00.000000Z',
      regarding: { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web-invoke', uid: 'uid-1' },
      ...{ ...said, note: 'taken', reportingController: 'invoke.io/operator', reportingInstance: 'operator-1' },
    },
  ]);
});

test('an event about what has no namespace is in the default one', async () => {
  events.record({ kind: NAMESPACES, regarding: { metadata: { name: 'shop' } }, ...said, note: 'x' });
  await events.stop();
  expect(api.objects(EVENTS)).toMatchObject([{ metadata: { namespace: 'default' }, regarding: { name: 'shop' } }]);
  expect(api.objects(EVENTS)[0]?.regarding?.namespace).toBeUndefined();
});

test('the same is not said again for ten minutes; what is different is', async () => {
  record('web');
  record('web');
  record('web', 'another note');
  record('web', 'taken', 'uid-2');
  record('shop');
  clock.advance(10 * 60_000 - 1);
  record('web');
  clock.advance(1);
  record('web');
  await events.stop();
  const notes = api.objects(EVENTS).map(({ regarding, note }) => `${regarding?.name} ${note} ${regarding?.uid}`);
  expect(notes.toSorted()).toEqual([
    'shop taken uid-1',
    'web another note uid-1',
    'web taken uid-1',
    'web taken uid-1',
    'web taken uid-2',
  ]);
});

test('there are never too many: what is left out is in the log, and may be said later', async () => {
  for (let n = 0; n < 60; n += 1) record(`service-${n}`);
  expect(lines).toHaveLength(10);
  expect(lines[0]).toMatch(/too many.*service-50.*NameTaken/);
  clock.advance(2000);
  for (let n = 50; n < 53; n += 1) record(`service-${n}`);
  await events.stop();
  expect(api.objects(EVENTS)).toHaveLength(52);
});

test('names and notes of any length fit', async () => {
  record(`${'n'.repeat(232)}-${'n'.repeat(20)}`, `x${'é'.repeat(5000)}`);
  record('system:x');
  await events.stop();
  const [long, odd] = api.objects(EVENTS);
  expect(long?.metadata?.name).toMatch(/^n{232}\.[0-9a-f]+$/);
  expect(long?.note).toBe(`x${'é'.repeat(511)}`);
  expect(odd?.metadata?.name).toMatch(/^system-x\.[0-9a-f]+$/);
});

test('an event that is refused is a line in the log, and nothing is written after the end', async () => {
  api.failNext(1, { status: 403, message: 'the namespace goes away' });
  record('web');
  await events.stop();
  expect(lines.join('')).toMatch(/not written.*the namespace goes away/);
  record('shop');
  expect(api.requests).toHaveLength(1);
});
