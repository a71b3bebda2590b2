// The rules of retrying, one by one, against endpoints that do as the test says and a clock that the test moves.
import { beforeEach, describe, expect, test } from 'vitest';
import { fault } from '../../api/fault.ts';
import type { Resolution, Resolved } from '../resolve/resolver.ts';
import { clock, endpoints, fails, forgetHeard, forgetSeen, heard, nth, OK, run, seen, startAnew } from './testing.ts';

beforeEach(startAnew);

test('an attempt that nobody can have seen is made again elsewhere, with all that was sent', () => {
  const request = run(endpoints(1, 2));
  request.data(Buffer.from('one'));
  request.data(Buffer.from('two'));
  fails(0, 'peer-unreachable');
  request.data(Buffer.from('three'));
  request.end([]);
  expect(seen.map(({ port }) => port)).toEqual([1, 2]);
  expect(nth(1)).toMatchObject({ chunks: ['one', 'two', 'three'], ended: true });
  nth(1).reply.head(OK);
  nth(1).reply.end([]);
  expect(heard.filter((word) => word !== 'resume')).toEqual(['head 200', 'end']);
});

test.each(['peer-broke', 'app-broke', 'timeout', 'denied', 'body-too-large'] as const)(
  '%s of a POST is final: the app may have seen the call, or would say the same again',
  (code) => {
    run(endpoints(1, 2));
    fails(0, code);
    expect(seen).toHaveLength(1);
    expect(heard.at(-1)).toBe(`abort ${code}`);
  },
);

test('each endpoint is tried once, and the last fault is what the caller hears', () => {
  run(endpoints(1, 2, 3));
  for (const number of [0, 1]) fails(number, 'peer-unreachable');
  fails(2, 'app-unreachable');
  expect(seen.map(({ port }) => port).sort()).toEqual([1, 2, 3]);
  expect(heard.at(-1)).toBe('abort app-unreachable');
});

test('a connection that was closing is no verdict on its endpoint: the same one is tried again, within bounds', () => {
  run(endpoints(1));
  for (let number = 0; number < 5; number++) fails(number, 'peer-closing');
  expect(seen.map(({ port }) => port)).toEqual([1, 1, 1, 1, 1]);
  expect(heard.at(-1)).toBe('abort peer-closing');
});

test('attempts that fail before they are open end like any other', () => {
  const request = run(endpoints(1, 2, 3), { refusesAtOnce: 'peer-unreachable' });
  expect(seen).toHaveLength(3);
  expect(heard).toEqual(['abort peer-unreachable']);
  expect(request.data(Buffer.from('late'))).toBe('ok');
});

test('once an answer has begun nothing is tried again', () => {
  run(endpoints(1, 2));
  nth(0).reply.head(OK);
  fails(0, 'peer-unreachable');
  expect(seen).toHaveLength(1);
  expect(heard.slice(-2)).toEqual(['head 200', 'abort peer-unreachable']);
});

test('an attempt that was given up has no say any more', () => {
  run(endpoints(1, 2));
  fails(0, 'peer-unreachable');
  const late = nth(0).reply;
  late.head(OK);
  late.data(Buffer.from('ghost'));
  late.end([]);
  late.abort(fault('app-broke', 'ghost'));
  expect(heard.filter((word) => word !== 'resume')).toEqual([]);
});

test('a body beyond 64 KiB has one attempt', () => {
  const request = run(endpoints(1, 2));
  request.data(Buffer.alloc(40_000));
  request.data(Buffer.alloc(40_000));
  fails(0, 'peer-unreachable');
  expect(seen).toHaveLength(1);
  expect(heard.at(-1)).toBe('abort peer-unreachable');
});

test('a body of just 64 KiB can be sent again', () => {
  const request = run(endpoints(1, 2));
  request.data(Buffer.alloc(64 * 1024));
  fails(0, 'peer-unreachable');
  expect(seen).toHaveLength(2);
});

describe('a call that may be made twice', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])(
    '%s, broken before its answer, goes elsewhere, once',
    (method) => {
      run(endpoints(1, 2, 3), { method });
      fails(0, 'peer-broke');
      expect(new Set(seen.map(({ port }) => port)).size).toBe(2);
      fails(1, 'app-broke');
      expect(seen).toHaveLength(2);
      expect(heard.at(-1)).toBe('abort app-broke');
    },
  );

  test('stays where there is nobody else, and where its body was not kept', () => {
    run(endpoints(1), { method: 'GET' });
    fails(0, 'peer-broke');
    expect(seen).toHaveLength(1);
    const request = run(endpoints(1, 2), { method: 'PUT' });
    request.data(Buffer.alloc(70_000));
    fails(1, 'peer-broke');
    expect(seen).toHaveLength(2);
  });

  test('is not made twice once its answer has begun, or took too long', () => {
    run(endpoints(1, 2), { method: 'GET' });
    nth(0).reply.head(OK);
    fails(0, 'app-broke');
    run(endpoints(1, 2), { method: 'GET' });
    fails(1, 'timeout');
    expect(seen).toHaveLength(2);
  });

  test('is no call of gRPC', () => {
    run(endpoints(1, 2), { kind: 'grpc', method: 'POST' });
    fails(0, 'peer-broke');
    expect(seen).toHaveLength(1);
  });
});

describe('while the name is looked up', () => {
  function miss() {
    let answer: (resolved: Resolved) => void = () => undefined;
    let isCancelled = false;
    const resolution: Resolution = {
      kind: 'miss',
      wait: (done) => {
        answer = done;
        return () => {
          isCancelled = true;
        };
      },
    };
    return { resolution, answer: (resolved: Resolved) => answer(resolved), isCancelled: () => isCancelled };
  }

  test('the body is held back, however large its first piece, and then goes whole', () => {
    const lookup = miss();
    const request = run(lookup.resolution);
    expect(request.data(Buffer.alloc(100_000, 'x'))).toBe('pause');
    request.end([]);
    lookup.answer(endpoints(1));
    expect(nth(0)).toMatchObject({ chunks: ['x'.repeat(100_000)], ended: true });
    expect(heard).toEqual(['resume']);
  });

  test('a caller that leaves cancels the lookup, and nothing is sent', () => {
    const lookup = miss();
    const request = run(lookup.resolution);
    request.cancel(fault('cancelled', 'gone'));
    expect(lookup.isCancelled()).toBe(true);
    lookup.answer(endpoints(1));
    expect(seen).toEqual([]);
    expect(heard).toEqual([]);
  });

  test('a name that leads nowhere is what the caller hears', () => {
    const lookup = miss();
    run(lookup.resolution);
    lookup.answer({ kind: 'absent', fault: fault('unknown-app', 'who?') });
    expect(heard).toEqual(['abort unknown-app']);
  });
});

test('no endpoint is no-endpoint', () => {
  run(endpoints());
  expect(heard).toEqual(['abort no-endpoint']);
});

test('the deadline covers everything: the attempt is cancelled, the caller told, and nothing is tried again', () => {
  for (const hasBegun of [false, true]) {
    forgetHeard();
    forgetSeen();
    run(endpoints(1, 2), { timeoutMs: 100 });
    if (hasBegun) nth(0).reply.head(OK);
    clock.advance(99);
    expect(heard).not.toContain('abort timeout');
    clock.advance(1);
    expect(heard.at(-1)).toBe('abort timeout');
    expect(nth(0).left?.code).toBe('timeout');
    fails(0, 'peer-unreachable');
    expect(seen).toHaveLength(1);
  }
});

test('a call that is over leaves no timer behind', () => {
  run(endpoints(1), { timeoutMs: 100 });
  nth(0).reply.head(OK);
  nth(0).reply.end([]);
  expect(clock.waiting()).toEqual([]);
});

test('pausing and resuming pass through in both directions', () => {
  const request = run(endpoints(1));
  nth(0).flow = 'pause';
  expect(request.data(Buffer.from('x'))).toBe('pause');
  forgetHeard();
  nth(0).reply.resume();
  expect(heard).toEqual(['resume']);
  nth(0).reply.head(OK);
  request.resume();
  expect(nth(0).resumes).toBe(1);
});

describe('a tunnel', () => {
  const OPEN = { status: 101, headers: [], bodyBytes: undefined };
  const start = (timeoutMs?: number) =>
    run(endpoints(1, 2), { protocol: 'websocket', ...(timeoutMs === undefined ? {} : { timeoutMs }) });

  test('is asked for elsewhere as any call, until it is open', () => {
    start();
    fails(0, 'app-unreachable');
    nth(1).reply.head(OPEN);
    fails(1, 'app-unreachable');
    expect(seen).toHaveLength(2);
    expect(heard).toEqual(['head 101', 'abort app-unreachable']);
  });

  test('that does not open in time is given up; one that has opened lives past the deadline', () => {
    start(1000);
    clock.advance(1000);
    expect(heard).toEqual(['abort timeout']);
    start(1000);
    nth(1).reply.head(OPEN);
    expect(clock.waiting()).toEqual([]);
    clock.advance(10_000);
    nth(1).reply.data(Buffer.from('x'));
    expect(heard.slice(1)).toEqual(['head 101', 'data x']);
  });

  test('goes on being written to when its answer has ended', () => {
    const request = start();
    const { reply, chunks } = nth(0);
    reply.head(OPEN);
    reply.end([]);
    request.data(Buffer.from('still here'));
    request.end([]);
    expect(chunks).toEqual(['still here']);
    expect(nth(0).ended).toBe(true);
    expect(heard).toEqual(['head 101', 'end']);
  });

  test('goes on answering when its request has ended, and is broken off by either side', () => {
    const request = start();
    const { reply } = nth(0);
    reply.head(OPEN);
    request.end([]);
    reply.data(Buffer.from('a'));
    reply.cancel(fault('app-broke', 'it broke'));
    request.cancel(fault('cancelled', 'it left'));
    expect(heard).toEqual(['head 101', 'data a', 'cancel app-broke']);
    expect(nth(0).left?.code).toBe('cancelled');
  });

  test('that the app refuses is over with its answer', () => {
    const request = start(1000);
    nth(0).reply.head({ status: 403, headers: [], bodyBytes: 0 });
    nth(0).reply.end([]);
    request.data(Buffer.from('x'));
    expect(nth(0).chunks).toEqual([]);
    expect(clock.waiting()).toEqual([]);
  });
});
