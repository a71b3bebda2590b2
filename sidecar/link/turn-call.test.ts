// The queue before an app: its bound, and what those who wait are told when waiting is over. Here as `--app-max-concurrency` has it.
import { beforeEach, describe, expect, test } from 'vitest';
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import { fault } from '../../api/fault.ts';
import { HeldBytes } from '../../kit/held-bytes.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { InFlight } from '../../policy/resiliency/limits/in-flight.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { openInTurn } from '../own-app.ts';
import { AppSide, callerSide, callTo } from '../testing/ends.ts';
import { appUnhealthy } from '../transport/app-faults.ts';
import { TurnCall, type Turns, WAITING_BYTES_MAX } from './turn-call.ts';

const gone = fault('cancelled', 'the caller has gone');

let clock: ReturnType<typeof manualClock>;
let turns: Turns;
let app: AppSide;
let waiting: number[];

beforeEach(() => {
  clock = manualClock();
  app = new AppSide();
  waiting = [];
  turns = oneTurn(2);
});

function oneTurn(queueSize: number): Turns {
  const told = (count: number) => waiting.push(count);
  return new InFlight({ clock, limit: 1, queueSize, queueTimeoutMs: Number.POSITIVE_INFINITY, told });
}

function open(path: string, deadlineMs?: number, to = app.open) {
  const heard: string[] = [];
  return { heard, request: openInTurn(to, turns, clock)(callTo(path, { deadlineMs }), callerSide(heard)) };
}

const paths = () => app.paths;

test('a queue that is full refuses, and whoever waits is not touched by that', () => {
  const [first, second, third, fourth] = ['/1', '/2', '/3', '/4'].map((path) => open(path));
  expect(fourth?.heard).toEqual(['abort app-busy']);
  expect(fourth?.request.data(Buffer.from('x'))).toBe('ok');
  app.calls[0]?.reply.end([]);
  app.calls[1]?.reply.end([]);
  expect([first?.heard, second?.heard, third?.heard]).toEqual([['end'], ['end'], []]);
  expect([paths(), waiting]).toEqual([
    ['/1', '/2', '/3'],
    [1, 2, 1, 0],
  ]);
});

test('what was pushed while a call waited comes in its order, and the caller goes on', () => {
  open('/1');
  const { request, heard } = open('/2');
  expect(request.data(Buffer.from('a'))).toBe('pause');
  expect(request.data(Buffer.from('b'))).toBe('pause');
  app.calls[0]?.reply.end([]);
  expect([app.calls[1]?.heard, heard]).toEqual([['a', 'b'], ['resume']]);
  request.end([]);
  expect(app.calls[1]?.heard).toEqual(['a', 'b', 'end']);
});

test('requests that wait hold so much together; one that would hold more is refused, and what is held is given back', () => {
  const chunk = Buffer.alloc(WAITING_BYTES_MAX / 2);
  turns = oneTurn(10);
  const held = new HeldBytes(WAITING_BYTES_MAX);
  const options = { turns, clock, held, refusal: () => fault('app-busy', 'no room') };
  const start = (path: string) => {
    const heard: string[] = [];
    const request = new TurnCall(callTo(path), callerSide(heard), app.open, options);
    request.start();
    return { heard, request };
  };
  const [, second, third, fourth] = ['/1', '/2', '/3', '/4'].map(start);
  second?.request.data(chunk);
  third?.request.data(chunk);
  expect(fourth?.request.data(Buffer.alloc(1))).toBe('ok');
  expect([second?.heard, third?.heard, fourth?.heard]).toEqual([[], [], ['abort app-busy']]);
  second?.request.cancel(gone);
  const fifth = start('/5');
  expect(fifth.request.data(chunk)).toBe('pause');
  app.answer(0);
  app.answer(1);
  expect([app.paths, held.take(WAITING_BYTES_MAX)]).toEqual([['/1', '/3', '/5'], true]);
});

describe('a tunnel', () => {
  const opened = () => {
    const tunnel = open('/tunnel');
    open('/next');
    app.calls[0]?.reply.head({ status: 101, headers: [], bodyBytes: undefined });
    return tunnel;
  };

  test.each([
    ['the app first', (request: RequestEnd) => [() => app.calls[0]?.reply.end([]), () => request.end([])]],
    ['the caller first', (request: RequestEnd) => [() => request.end([]), () => app.calls[0]?.reply.end([])]],
  ])('has its turn until both sides have ended, %s', (_who, ends) => {
    const { request } = opened();
    const [one, other] = ends(request);
    one?.();
    expect(request.data(Buffer.from('more'))).toBe('ok');
    expect(paths()).toEqual(['/tunnel']);
    other?.();
    expect(paths()).toEqual(['/tunnel', '/next']);
  });

  test('that the app gives up is over at once', () => {
    opened();
    app.calls[0]?.reply.cancel(gone);
    expect(paths()).toEqual(['/tunnel', '/next']);
  });
});

test('a deadline that passes in the queue ends the waiting, and leaves no timer behind', () => {
  open('/1');
  const { heard } = open('/2', 100);
  const other = open('/3', 200);
  clock.advance(100);
  expect([heard, other.heard]).toEqual([['abort timeout'], []]);
  app.calls[0]?.reply.end([]);
  expect([paths(), clock.waiting()]).toEqual([['/1', '/3'], []]);
});

test.each(['abort', 'cancel'] as const)('a caller who leaves (%s) frees the place it has', (how) => {
  const first = open('/1');
  const second = open('/2');
  open('/3');
  second.request[how](gone);
  first.request[how](gone);
  expect(app.calls[0]?.heard).toEqual([`${how} cancelled`]);
  expect(paths()).toEqual(['/1', '/3']);
});

test('an app that is unhealthy is not waited for; calls inside go on', () => {
  const first = open('/1');
  const [second, third] = [open('/2'), open('/3')];
  for (const one of turns.takeWaiting())
    one.dropped((call) => appUnhealthy(call, 'GET /healthz was answered with 500'));
  expect([first.heard, second.heard, third.heard]).toEqual([[], ['abort app-unhealthy'], ['abort app-unhealthy']]);
  app.calls[0]?.reply.end([]);
  open('/4');
  expect(paths()).toEqual(['/1', '/4']);
});

test('calls that are refused as they are opened give each its turn to the next', () => {
  const refuse = (_call: PermittedCall, reply: ReplyEnd) => {
    reply.abort(fault('app-unreachable', 'nobody listens'));
    return app.open(_call, reply);
  };
  open('/1');
  const refused = [open('/2', undefined, refuse), open('/3', undefined, refuse)];
  app.calls[0]?.reply.end([]);
  expect(refused.map(({ heard }) => heard)).toEqual([['abort app-unreachable'], ['abort app-unreachable']]);
  expect(turns.tryEnter()).toBe(true);
});

test('a bug that a call finds as it is opened keeps no turn', () => {
  const buggy = () => {
    throw new Error('a bug');
  };
  expect(() => open('/1', undefined, buggy)).toThrow('a bug');
  open('/2');
  expect(paths()).toEqual(['/2']);
});

test('a queue of calls that are over as they are admitted empties without a frame of the stack for each', () => {
  turns = oneTurn(20_000);
  const first = open('/1');
  const refused = Array.from({ length: 10_000 }, () => open('/x', undefined, (_call, reply) => refuse(reply, gone)));
  const last = open('/2');
  app.calls[0]?.reply.end([]);
  expect(first.heard).toEqual(['end']);
  expect(refused.every(({ heard }) => heard.join() === 'abort cancelled')).toBe(true);
  expect([paths(), waiting.at(-1)]).toEqual([['/1', '/2'], 0]);
  app.calls[1]?.reply.end([]);
  expect(last.heard).toEqual(['end']);
  expect(turns.tryEnter()).toBe(true);
});
