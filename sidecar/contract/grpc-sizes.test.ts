// How much gRPC may carry: a limit for one message, none for a call, and nobody is sent more than is read.
import { status as Code } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  callerOf,
  faultOf,
  type GrpcApp,
  type GrpcCaller,
  grpcOn,
  grpcPairForAll,
  outcomeOf,
} from '../testing/grpc-app.ts';
import type { Mesh, MeshSidecar } from '../testing/mesh.ts';

const LIMIT = 4 * 1024 * 1024;

let mesh: Mesh;
let web: MeshSidecar;
let app: GrpcApp;
let caller: GrpcCaller;
grpcPairForAll((pair) => {
  ({ mesh, web, app, caller } = pair);
});

/** Settles when the app, which waits for messages, hears that its call is given up. */
function theAppIsCancelled(): Promise<unknown> {
  return new Promise((cancelled) => {
    app.behaviour.duplex = (call) => {
      call.on('cancelled', cancelled);
      call.on('error', () => undefined);
      call.resume();
    };
  });
}

test('a message of 4 MiB passes both ways, and one byte more is RESOURCE_EXHAUSTED', async () => {
  const large = Buffer.alloc(LIMIT, 'abc');
  const passed = await caller.call('Unary', [large]);
  expect(passed.messages[0]?.equals(large)).toBe(true);
  const cancelled = theAppIsCancelled();
  const refused = await caller.call('Duplex', ['x', Buffer.alloc(LIMIT + 1)]);
  await cancelled;
  expect([refused.status.code, faultOf(refused)]).toEqual([Code.RESOURCE_EXHAUSTED, 'body-too-large']);
});

test('many messages may be larger than that together', async () => {
  const piece = Buffer.alloc(1024 * 1024, 'x');
  const outcome = await caller.call('Upload', Array<Buffer>(6).fill(piece));
  expect(outcome.messages[0]?.length).toBe(6 * piece.length);
});

test("the called app's sidecar has a limit of its own", async () => {
  const small = await mesh.start('small', { config: { ...grpcOn(app), bodyBytesMax: 1000 } });
  const other = callerOf(web, 'small');
  expect((await other.call('Duplex', [Buffer.alloc(1000), Buffer.alloc(1000)])).status.code).toBe(Code.OK);
  const cancelled = theAppIsCancelled();
  const refused = await other.call('Duplex', ['x', Buffer.alloc(1001)]);
  await cancelled;
  expect([refused.status.code, faultOf(refused)]).toEqual([Code.RESOURCE_EXHAUSTED, 'body-too-large']);
  other.close();
  await small.stop();
});

/** In the meantime all that is pushed would go through, if nobody were held back. */
async function othersHaveTheirTurn(): Promise<void> {
  for (let i = 0; i < 12; i++) await caller.call('Unary', [Buffer.alloc(256 * 1024)]);
}

test('an app that does not read holds its caller back, and nobody holds what is on its way', async () => {
  let got = 0;
  const go = Promise.withResolvers<void>();
  app.behaviour.upload = (call, done) => {
    call.pause();
    void go.promise.then(() => {
      call.on('data', (message: Buffer) => {
        got += message.length;
      });
      call.on('end', () => done(null, Buffer.from('all')));
      call.resume();
    });
  };
  const stream = caller.open('Upload');
  const outcome = outcomeOf(stream);
  const piece = Buffer.alloc(256 * 1024);
  let passed = 0;
  // 40 MiB: many times what all windows on the way hold together.
  for (let i = 0; i < 160; i++) stream.write(piece, () => passed++);
  stream.end();
  await othersHaveTheirTurn();
  expect(passed).toBeLessThan(80);
  go.resolve();
  expect((await outcome).messages.map(String)).toEqual(['all']);
  expect(got).toBe(160 * piece.length);
});

test('a caller that does not read holds the app back', async () => {
  const piece = Buffer.alloc(256 * 1024);
  const began = Promise.withResolvers<void>();
  let sent = 0;
  app.behaviour.download = (call) => {
    const more = () => {
      while (sent < 200) {
        sent++;
        if (call.write(piece)) continue;
        began.resolve();
        call.once('drain', more);
        return;
      }
      call.end();
    };
    more();
  };
  const stream = caller.open('Download');
  stream.end(Buffer.from('x'));
  stream.pause();
  await began.promise;
  await othersHaveTheirTurn();
  expect(sent).toBeLessThan(100);
  let bytes = 0;
  stream.on('data', (message: Buffer) => {
    bytes += message.length;
  });
  const ended = new Promise<number>((done) => stream.on('status', ({ code }) => done(code)));
  stream.resume();
  expect(await ended).toBe(Code.OK);
  expect(bytes).toBe(200 * piece.length);
});
