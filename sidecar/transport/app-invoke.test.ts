// OnInvoke by itself: what is held of calls together is bounded, a reply goes on at the speed of its reader, and whoever leaves
// leaves nothing behind.
import { expect, test } from 'vitest';
import type { Call } from '../../api/call.ts';
import { type Flow, type ReplyEnd, type ReplyHead, type RequestEnd, refuse } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { canonicalPath } from '../../api/path.ts';
import { oracleEncode } from '../../api/proto/testing-schema.ts';
import { HeldBytes } from '../../kit/held-bytes.ts';
import { must } from '../../kit/result.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { identityOf } from '../testing/mesh.ts';
import { permitted } from '../testing/permitted.ts';
import { type AppInvokeDeps, openAppInvoke } from './app-invoke.ts';

const MIB = 2 ** 20;

/** The app's side of native calls, of which the test does everything. */
class AppSide implements RequestEnd {
  readonly reply: ReplyEnd;
  readonly said: string[] = [];
  bytes = 0;

  constructor(reply: ReplyEnd) {
    this.reply = reply;
  }

  data(chunk: Buffer): Flow {
    this.bytes += chunk.length;
    return 'ok';
  }
  end = () => void this.said.push('end');
  abort = () => void this.said.push('abort');
  resume = () => undefined;
  cancel = () => void this.said.push('cancel');

  answer(bytes: number): void {
    const value = Buffer.alloc(bytes);
    this.reply.head({ status: 200, headers: ['content-type', 'application/grpc'], bodyBytes: undefined });
    this.reply.data(frameMessage(oracleEncode('dapr.proto.common.v1.InvokeResponse', { data: { value } })));
    this.reply.end(['grpc-status', '0']);
  }
}

/** Who called: takes so much before it says `pause`. */
class CallerSide implements ReplyEnd {
  flow: Flow = 'ok';
  bytes = 0;
  largest = 0;
  resumed = 0;
  isEnded = false;
  status: number | undefined;
  fault: Fault | undefined;

  head({ status }: ReplyHead): void {
    this.status = status;
  }
  data(chunk: Buffer): Flow {
    this.bytes += chunk.length;
    this.largest = Math.max(this.largest, chunk.length);
    return this.flow;
  }
  end(): void {
    this.isEnded = true;
  }
  abort(reason: Fault): void {
    this.fault = reason;
  }
  resume(): void {
    this.resumed++;
  }
  cancel(): void {}
}

function mesh({ heldBytesMax = 8 * MIB, bodyBytesMax = 4 * MIB } = {}) {
  const apps: AppSide[] = [];
  const deps: AppInvokeDeps = {
    openGrpc(_call, reply) {
      const app = new AppSide(reply);
      apps.push(app);
      return app;
    },
    bodyBytesMax,
    held: new HeldBytes(heldBytesMax),
  };
  const open = (bodyBytes: number | undefined) => {
    const caller = new CallerSide();
    return { caller, request: openAppInvoke(permitted(callOf(bodyBytes)), caller, deps) };
  };
  return { apps, deps, open };
}

function callOf(bodyBytes: number | undefined): Call {
  return {
    kind: 'http',
    target: identityOf('shop'),
    caller: identityOf('web'),
    method: 'POST',
    path: must(canonicalPath('/orders')),
    query: '',
    headers: [],
    bodyBytes,
    deadlineMs: undefined,
    hops: 1,
  };
}

test('bodies of unknown length fill the room and no more: further ones are refused, unseen by the app, and known ones pass', () => {
  const { apps, open } = mesh();
  const calls = [open(undefined), open(undefined), open(undefined)];
  for (const { request } of calls) request.data(Buffer.alloc(3 * MIB));
  expect(calls.map(({ caller }) => caller.fault?.code)).toEqual([undefined, undefined, 'app-unreachable']);
  expect(apps).toHaveLength(0);
  const known = open(4 * MIB);
  expect(known.request.data(Buffer.alloc(4 * MIB))).toBe('ok');
  known.request.end([]);
  expect(apps[0]?.bytes).toBeGreaterThan(4 * MIB);
  for (const { request } of calls) request.abort(fault('cancelled', 'gone'));
  const again = open(undefined);
  again.request.data(Buffer.alloc(4 * MIB));
  again.request.end([]);
  expect([again.caller.fault, apps[1]?.said]).toEqual([undefined, ['end']]);
});

test('answers fill the room and no more', () => {
  const { apps, open } = mesh();
  const calls = [open(0), open(0), open(0)];
  for (const { caller, request } of calls) {
    caller.flow = 'pause';
    request.end([]);
  }
  for (const app of apps) app.answer(4 * MIB - 100);
  expect(calls.map(({ caller }) => caller.fault?.code)).toEqual([undefined, undefined, 'app-broke']);
  expect(apps[2]?.said).toEqual(['end', 'cancel']);
  calls[0]?.request.cancel(fault('cancelled', 'gone'));
  const again = open(0);
  again.request.end([]);
  apps[3]?.answer(4 * MIB - 100);
  expect([again.caller.status, again.caller.isEnded]).toEqual([200, true]);
});

test('a reply is pushed piece by piece, and waits for its reader', () => {
  const { apps, open } = mesh();
  const { caller, request } = open(0);
  caller.flow = 'pause';
  request.end([]);
  apps[0]?.answer(MIB);
  expect([caller.bytes, caller.largest, caller.isEnded]).toEqual([64 * 1024, 64 * 1024, false]);
  request.resume();
  expect(caller.bytes).toBe(128 * 1024);
  caller.flow = 'ok';
  request.resume();
  expect([caller.bytes, caller.isEnded]).toEqual([MIB, true]);
});

test('a caller that leaves within a reply hears no more of it', () => {
  const { apps, open } = mesh();
  const { caller, request } = open(0);
  caller.data = (chunk) => {
    caller.bytes += chunk.length;
    request.cancel(fault('cancelled', 'gone'));
    return 'ok';
  };
  request.end([]);
  apps[0]?.answer(MIB);
  expect([caller.bytes, caller.isEnded, caller.fault]).toEqual([64 * 1024, false, undefined]);
});

test('a body that is declared larger than any may be is refused unseen; one that turns out to be, too', () => {
  const { apps, open } = mesh();
  expect(open(5 * MIB).caller.fault?.code).toBe('body-too-large');
  const { caller, request } = open(undefined);
  for (let i = 0; i < 5; i++) request.data(Buffer.alloc(MIB));
  request.end([]);
  expect([caller.fault?.code, apps]).toEqual(['body-too-large', []]);
});

test('an app that refuses at once is heard, whether the length was known or not', () => {
  const { deps } = mesh();
  const refusing = {
    ...deps,
    openGrpc: (_: unknown, reply: ReplyEnd) => refuse(reply, fault('app-unreachable', 'no')),
  };
  for (const bodyBytes of [1, undefined]) {
    const caller = new CallerSide();
    const request = openAppInvoke(permitted(callOf(bodyBytes)), caller, refusing);
    request.data(Buffer.from('x'));
    request.end([]);
    expect(caller.fault?.code).toBe('app-unreachable');
  }
});

test('an app that takes more says so to the caller, as long as the request goes on', () => {
  const { apps, open } = mesh();
  const { caller, request } = open(10);
  apps[0]?.reply.resume();
  expect(caller.resumed).toBe(1);
  request.abort(fault('cancelled', 'gone'));
  apps[0]?.reply.resume();
  expect([caller.resumed, apps[0]?.said]).toEqual([1, ['abort']]);
});
