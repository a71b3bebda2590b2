// Native gRPC: what an app says to a service of another app, through both sidecars, is what that app hears, and back.
import { once } from 'node:events';
import { status as Code, Metadata } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import {
  callerOf,
  conversation,
  faultOf,
  type GrpcApp,
  type GrpcCaller,
  grpcApp,
  grpcOn,
  grpcPairForAll,
  type Outcome,
  outcomeOf,
} from '../testing/grpc-app.ts';
import type { Mesh, MeshSidecar } from '../testing/mesh.ts';

let mesh: Mesh;
let web: MeshSidecar;
let shop: MeshSidecar;
let app: GrpcApp;
let caller: GrpcCaller;
grpcPairForAll((pair) => {
  ({ mesh, web, shop, app, caller } = pair);
});

const text = ({ messages }: Outcome) => messages.map(String);

describe('a call', () => {
  test.each([
    ['Unary', ['hello'], ['hello']],
    ['Upload', ['one ', 'two ', 'three'], ['one two three']],
    ['Download', ['abc'], ['a', 'b', 'c']],
    ['Duplex', ['one', 'two', ''], ['one', 'two', '']],
  ])('of the kind %s goes there and back', async (kind, sent, expected) => {
    const outcome = await caller.call(kind, sent);
    expect(outcome.status.code).toBe(Code.OK);
    expect(text(outcome)).toEqual(expected);
  });

  test('in two directions is a conversation: each word is heard before the next is said', async () => {
    const { outcome, heard } = await conversation(caller, 20);
    expect(outcome.status.code).toBe(Code.OK);
    expect(heard).toEqual(Array.from({ length: 20 }, (_, i) => `word ${i}`));
  });

  test('of an app to itself goes the same way', async () => {
    const own = callerOf(shop, 'shop.default');
    expect(text(await own.call('Unary', ['me']))).toEqual(['me']);
    expect(app.seen[0]?.get('dapr-caller-app-id')).toEqual(['shop']);
    own.close();
  });

  test('may name its app by invoke-app-id', async () => {
    const other = callerOf(web, undefined);
    const outcome = await other.call('Unary', ['x'], other.metadata({ 'invoke-app-id': 'shop' }));
    expect(outcome.status.code).toBe(Code.OK);
    other.close();
  });

  test('500 at once all come back, each with its own answer', async () => {
    const numbers = Array.from({ length: 500 }, (_, i) => `${i}`);
    const waiting: (() => void)[] = [];
    app.behaviour.unary = (call, done) => {
      waiting.push(() => done(null, call.request));
      if (waiting.length === numbers.length) for (const answer of waiting) answer();
    };
    const outcomes = await Promise.all(numbers.map((number) => caller.call('Unary', [number])));
    expect(outcomes.flatMap(text)).toEqual(numbers);
  });
});

describe('metadata', () => {
  test('travels both ways, binary and repeated fields too', async () => {
    const bytes = Buffer.from([0, 1, 0xfe, 0xff]);
    app.behaviour.unary = (call, done) => {
      const head = new Metadata();
      for (const value of call.metadata.get('x-many')) head.add('x-many-back', value);
      head.set('x-raw-back-bin', call.metadata.get('x-raw-bin')[0] ?? '');
      call.sendMetadata(head);
      const trailer = new Metadata();
      trailer.set('x-trailer', 'last');
      trailer.set('x-trailer-bin', bytes);
      done(null, call.request, trailer);
    };
    const metadata = caller.metadata({ 'x-raw-bin': bytes, authorization: 'Bearer abc' });
    metadata.add('x-many', 'one');
    metadata.add('x-many', 'two');
    const { head, status } = await caller.call('Unary', ['x'], metadata);
    expect(app.seen[0]?.get('authorization')).toEqual(['Bearer abc']);
    expect(String(head?.get('x-many-back'))).toMatch(/^one,\s*two$/);
    expect(head?.get('x-raw-back-bin')).toEqual([bytes]);
    expect(status.metadata.get('x-trailer')).toEqual(['last']);
    expect(status.metadata.get('x-trailer-bin')).toEqual([bytes]);
  });

  test('that claims an identity is dropped, in any spelling, and the certificate has its say', async () => {
    const claims = ['dapr-caller-app-id', 'dapr-caller-namespace', 'dapr_caller_app_id', 'invoke.caller.id'];
    const more = ['dapr-callee-app-id', 'invoke-caller-id', 'dapr-caller-app-id-bin'];
    const fields = Object.fromEntries(
      [...claims, ...more].map((name) => [name, name.endsWith('-bin') ? Buffer.from('admin') : 'admin']),
    );
    await caller.call('Unary', ['x'], caller.metadata(fields));
    const got = app.seen[0]?.getMap() ?? {};
    expect(JSON.stringify(got)).not.toContain('admin');
    expect(got).toMatchObject({
      'dapr-caller-app-id': 'web',
      'dapr-caller-namespace': 'default',
      'dapr-callee-app-id': 'shop',
      'invoke-caller-id': 'spiffe://test.local/ns/default/web',
      'dapr-api-token': 'app-token',
    });
    expect(Object.keys(got).filter((name) => /app-id|caller/.test(name))).toHaveLength(4);
  });

  test('has a trace, begun here if the caller has none', async () => {
    await caller.call('Unary', ['x']);
    expect(app.seen[0]?.get('traceparent')[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;
    await caller.call('Unary', ['x'], caller.metadata({ traceparent: given }));
    expect(app.seen[1]?.get('traceparent')).toEqual([given]);
  });
});

describe('what the app says went wrong', () => {
  const details = Buffer.from('\u0008\u0005\u0012\u0004gone', 'latin1');

  test('arrives in its own words, with its details, without a message and after some', async () => {
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', details);
    const failure = { code: Code.NOT_FOUND, details: 'no such order: 100% gone, ü', metadata };
    app.behaviour.unary = (_call, done) => done(failure);
    app.behaviour.download = (call) => {
      call.write(Buffer.from('a'));
      call.emit('error', failure);
    };
    for (const [kind, messages] of [
      ['Unary', 0],
      ['Download', 1],
    ] as const) {
      const outcome = await caller.call(kind, ['x']);
      expect(outcome.status).toMatchObject({ code: Code.NOT_FOUND, details: failure.details });
      expect(outcome.status.metadata.get('grpc-status-details-bin')).toEqual([details]);
      expect(outcome.messages).toHaveLength(messages);
      expect(faultOf(outcome)).toBeUndefined();
    }
  });

  test('is not taken for a word of ours, and nothing is sent again', async () => {
    let calls = 0;
    app.behaviour.unary = (_call, done) => {
      calls++;
      const metadata = new Metadata();
      metadata.set('invoke-fault', 'draining');
      done({ code: Code.UNAVAILABLE, details: 'busy', metadata });
    };
    app.behaviour.download = (call) => {
      calls++;
      const metadata = new Metadata();
      metadata.set('invoke-fault', 'draining');
      metadata.set('dapr-caller-app-id', 'admin');
      call.write(Buffer.from('a'));
      call.emit('error', { code: Code.UNAVAILABLE, details: 'busy', metadata });
    };
    for (const kind of ['Unary', 'Download']) {
      const outcome = await caller.call(kind, ['x']);
      expect(outcome.status).toMatchObject({ code: Code.UNAVAILABLE, details: 'busy' });
      expect(outcome.status.metadata.getMap()).not.toHaveProperty('dapr-caller-app-id');
      expect(faultOf(outcome)).toBeUndefined();
    }
    expect(calls).toBe(2);
  });

  test('a method that it does not have is its own UNIMPLEMENTED', async () => {
    const outcome = await caller.call('/shop.v1.Orders/Nothing', ['x']);
    expect(outcome.status.code).toBe(Code.UNIMPLEMENTED);
    expect(faultOf(outcome)).toBeUndefined();
  });
});

describe('the end of a call that nobody waits for any more', () => {
  /** Settles when the app has seen the call, and when it hears that it was cancelled. */
  function waitingApp() {
    const began = Promise.withResolvers<number>();
    const cancelled = Promise.withResolvers<void>();
    app.behaviour.duplex = (call) => {
      const deadline = call.getDeadline();
      began.resolve(deadline instanceof Date ? deadline.getTime() : deadline);
      call.on('cancelled', () => cancelled.resolve());
      call.on('error', () => undefined);
      call.resume();
    };
    return { began: began.promise, cancelled: cancelled.promise };
  }

  test('a caller that cancels: the app hears of it', async () => {
    const { began, cancelled } = waitingApp();
    const stream = caller.open('Duplex');
    const outcome = outcomeOf(stream);
    stream.write(Buffer.from('x'));
    expect(await began).toBe(Number.POSITIVE_INFINITY);
    stream.cancel();
    await cancelled;
    expect((await outcome).status.code).toBe(Code.CANCELLED);
  });

  test('a caller that has ended its request and hangs up: the app hears of it', async () => {
    const { began, cancelled } = waitingApp();
    const other = callerOf(web, 'shop');
    const stream = other.open('Duplex');
    void outcomeOf(stream);
    stream.end();
    await began;
    other.close();
    stream.cancel();
    await cancelled;
  });

  test('a deadline travels, with what is left of it, and the app hears when it has passed', async () => {
    const { began, cancelled } = waitingApp();
    const stream = caller.open('Duplex', caller.metadata(), { deadline: Date.now() + 400 });
    const outcome = outcomeOf(stream);
    expect(await began).toBeLessThan(Number.POSITIVE_INFINITY);
    expect((await outcome).status.code).toBe(Code.DEADLINE_EXCEEDED);
    await cancelled;
  });

  test('a deadline that is broken is no deadline: the call is refused', async () => {
    const outcome = await caller.call('Unary', ['x'], caller.metadata({ 'grpc-timeout': 'soon' }));
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.INVALID_ARGUMENT, 'bad-request']);
  });

  test('an app that breaks off amid its answer: the caller hears that it may have seen the call', async () => {
    const doomed = await grpcApp();
    const sidecar = await mesh.start('doomed', { config: grpcOn(doomed) });
    const other = callerOf(web, 'doomed');
    doomed.behaviour.download = (call) => void call.write(Buffer.from('first'));
    const stream = other.open('Download');
    const outcome = outcomeOf(stream);
    stream.end(Buffer.from('x'));
    await once(stream, 'data');
    doomed.close();
    const { status, messages } = await outcome;
    expect([status.code, status.metadata.get('invoke-fault'), messages.length]).toEqual([
      Code.INTERNAL,
      ['app-broke'],
      1,
    ]);
    other.close();
    await sidecar.stop();
  });
});

describe('what is refused', () => {
  test.each([
    ['/dapr.proto.runtime.v1.Dapr/GetState', 'it serves GetMetadata, InvokeService, SetMetadata, Shutdown.'],
    ['/dapr.proto.runtime.v1.dapr/GetMetadata', 'this sidecar does not serve'],
    ['/dapr.proto.runtime.v1.AppCallback/OnInvoke', 'does not serve'],
    ['/invoke.v1.Peer/Tunnel', 'does not serve'],
    ['/grpc.health.v1.Health/List', 'it serves Check, Watch.'],
    ['/grpc.health.v2.Health/Check', 'does not serve'],
    ['/grpc.reflection.v1.ServerReflection/Other', 'it serves ServerReflectionInfo.'],
    ['/Dapr.Proto.Runtime.V1.AppCallback/OnInvoke', 'does not serve'],
    ['/shop.v1.Orders%2FUnary', 'is no gRPC method'],
    ['/shop.v1.Orders/../Unary', 'is no gRPC method'],
    ['/shop.v1.Orders/Un%61ry', 'is no gRPC method'],
    ['/shop.v1.Orders//Unary', 'is no gRPC method'],
    ['/Unary', 'is no gRPC method'],
  ])('%s: UNIMPLEMENTED, and the app hears nothing', async (path, words) => {
    const outcome = await caller.call(path, ['x']);
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.UNIMPLEMENTED, 'unimplemented']);
    expect(outcome.status.details).toContain(words);
    expect(app.seen).toEqual([]);
  });

  test.each<[string, Record<string, string>, number, string]>([
    ['no app', {}, Code.INVALID_ARGUMENT, 'no-target'],
    ['two apps', { 'dapr-app-id': 'shop', 'invoke-app-id': 'web' }, Code.INVALID_ARGUMENT, 'bad-request'],
    ['a name that is none', { 'dapr-app-id': 'Shop!' }, Code.INVALID_ARGUMENT, 'bad-request'],
    ['an app that nobody knows', { 'dapr-app-id': 'nobody' }, Code.NOT_FOUND, 'unknown-app'],
    ['a web page', { 'dapr-app-id': 'shop', origin: 'http://evil.test' }, Code.PERMISSION_DENIED, 'origin-refused'],
  ])('a call of %s', async (_, fields, code, fault) => {
    const other = callerOf(web, undefined);
    const outcome = await other.call('Unary', ['x'], other.metadata(fields));
    expect([outcome.status.code, faultOf(outcome)]).toEqual([code, fault]);
    expect(outcome.status.details).not.toBe('');
    other.close();
  });

  test('a call without the API token, where there is one', async () => {
    const guarded = await mesh.start('guarded', { config: { apiToken: 'secret' } });
    const other = callerOf(guarded, 'shop');
    const outcome = await other.call('Unary', ['x']);
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.UNAUTHENTICATED, 'token-invalid']);
    const good = await other.call('Unary', ['x'], other.metadata({ 'dapr-api-token': 'secret' }));
    expect(good.status.code).toBe(Code.OK);
    expect(app.seen[0]?.get('dapr-api-token')).toEqual(['app-token']);
    other.close();
    await guarded.stop();
  });

  test('a call to an app that speaks HTTP', async () => {
    const plain = await mesh.start('plain', { handler: (_request, response) => response.end('http') });
    const other = callerOf(web, 'plain');
    const outcome = await other.call('Unary', ['x']);
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.UNIMPLEMENTED, 'unimplemented']);
    expect(outcome.status.details).toContain('speaks HTTP');
    expect(outcome.status.details).toContain('--app-protocol grpc');
    other.close();
    await plain.stop();
  });
});

async function metricsOf({ sidecar }: MeshSidecar): Promise<string> {
  return (await fetch(`http://127.0.0.1:${sidecar.ports.metrics}/metrics`)).text();
}

test('calls are counted on both sides by their status, one of gRPC or `other`; and none is in flight when all is over', async () => {
  app.behaviour.unary = (_call, done) => done({ code: Code.ALREADY_EXISTS, details: '' });
  await caller.call('Unary', ['x']);
  app.behaviour.unary = (_call, done) => done({ code: Number('4711'), details: '' });
  await caller.call('Unary', ['x']);
  for (const [sidecar, direction, peer] of [
    [web, 'outbound', 'shop.default'],
    [shop, 'inbound', 'web.default'],
  ] as const) {
    await expect.poll(() => metricsOf(sidecar)).toContain(`invoke_requests_in_flight{direction="${direction}"} 0`);
    const metrics = await metricsOf(sidecar);
    for (const status of ['0', '6', 'other'])
      expect(metrics).toContain(
        `invoke_grpc_requests_total{direction="${direction}",peer="${peer}",grpc_status="${status}"}`,
      );
    expect(metrics).not.toContain('grpc_status="4711"');
  }
});
