// grpc-go at the other end: it calls us and we call it; one message, many, conversations, statuses, deadlines, cancellations.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { frameMessage } from '../grpc-frame.ts';
import type { Fields, Serve } from '../message.ts';
import { h2cClient, request } from '../testing/h2c-client.ts';
import { h2cServer } from '../testing/h2c-server.ts';
import { buildGoProgram, GO_BUILD_LIMIT_MS, type GoProgram, NO_GO, outputOf, serving } from '../testing/programs.ts';
import { Recorder } from '../testing/recorder.ts';

const HEAD: Fields = ['content-type', 'application/grpc'];

let peer: GoProgram | undefined;
beforeAll(async () => {
  peer = await buildGoProgram(join(import.meta.dirname, 'testing/grpc-go-peer'));
}, GO_BUILD_LIMIT_MS);
afterAll(() => peer?.remove());

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('grpc-go calls us', async ({ skip }) => {
  const { path } = peer ?? skip(NO_GO);
  const never: Recorder[] = [];
  const server = await h2cServer(echoMessages(never));
  const said = await outputOf(path, ['call', `127.0.0.1:${server.port}`]);
  expect(said.split('\n')).toEqual([
    ...['small OK true 7', 'large OK true 7', 'many 100', 'conversation 20 true', 'failing NotFound false '],
    ...['late DeadlineExceeded', 'cancelled Canceled', 'afterwards OK true 7', ''],
  ]);
  await expect.poll(() => server.ends.map(({ kind }) => kind)).toEqual(['closed']);
  // Each heard once that it was given up, whether or not its message had been whole by then.
  const given = never.map(({ outcomes }) => outcomes.map(({ kind }) => kind).filter((kind) => kind !== 'end'));
  expect(given.map(([first]) => first)).toEqual(given.map(() => expect.stringMatching(/^(abort|cancel)$/)));
  expect(never).toHaveLength(2);
  await server.close();
});

/** Sends messages back as they come; fails one method, and leaves another without an end. */
function echoMessages(never: Recorder[]): Serve {
  return ({ target }, responder) => {
    if (target.endsWith('/Fail')) {
      const status = ['grpc-status', '5', 'grpc-message', 'no such thing'];
      responder.head({ status: 200, fields: [...HEAD, ...status], bodyBytes: undefined });
      responder.end([]);
      return new Recorder();
    }
    responder.head({ status: 200, fields: HEAD, bodyBytes: undefined });
    if (target.endsWith('/Never')) {
      const recorder = new Recorder();
      never.push(recorder);
      return recorder;
    }
    return {
      data: (chunk) => responder.data(chunk),
      end: () => responder.end(['grpc-status', '0', 'x-sum', '7']),
      abort: () => undefined,
      resume: () => responder.resume(),
      cancel: (failure) => responder.cancel(failure),
    };
  };
}

/** Calls on one connection to a server of grpc-go. */
async function callerOf(path: string) {
  const server = await serving(path);
  closing.push(() => server.stop());
  const { connection, closed } = await h2cClient(server.port);
  closing.push(async () => {
    expect(connection.streamCount).toBe(0);
    connection.drain();
    await closed;
  });
  return (recorder: Recorder) => {
    const fields = [...HEAD, 'te', 'trailers', 'x-name', 'us'];
    return connection.request(request({ method: 'POST', target: '/test.Echo/Any', fields }), recorder);
  };
}

test('grpc-go is called by us: messages small and large, and many calls at once', async ({ skip }) => {
  const { path } = peer ?? skip(NO_GO);
  const call = await callerOf(path);
  const messages = [Buffer.alloc(3_000_000, 'abc'), ...Array.from({ length: 50 }, (_, i) => Buffer.from(`call ${i}`))];
  const heard = messages.map((message) => {
    const recorder = new Recorder();
    const requester = call(recorder);
    requester.data(frameMessage(message));
    requester.end([]);
    return recorder;
  });
  for (const [i, recorder] of heard.entries()) {
    const outcome = await recorder.outcome();
    expect(outcome).toEqual({ kind: 'end', trailers: ['grpc-status', '0', 'grpc-message', '', 'x-sum', '7'] });
    expect(recorder.heads[0]?.fields).toEqual(expect.arrayContaining(['x-asked', 'us']));
    expect(Buffer.concat(recorder.chunks).equals(frameMessage(messages[i] ?? Buffer.alloc(0)))).toBe(true);
  }
});

test('grpc-go is called by us: a conversation, and a status that ends one', async ({ skip }) => {
  const { path } = peer ?? skip(NO_GO);
  const call = await callerOf(path);
  const recorder = new Recorder();
  const requester = call(recorder);
  let bytes = 0;
  for (let turn = 0; turn < 20; turn++) {
    const message = frameMessage(Buffer.from(`message ${turn}`));
    bytes += message.length;
    requester.data(message);
    await recorder.heard(bytes);
  }
  requester.data(frameMessage(Buffer.from('fail')));
  const status = ['grpc-status', '5', 'grpc-message', 'no such thing'];
  expect(await recorder.outcome()).toEqual({ kind: 'end', trailers: [...status, 'x-sum', '7'] });
  // It does not want the rest of ours, and says so; what we end after that goes nowhere.
  requester.end([]);
  expect(recorder.outcomes.filter(({ kind }) => kind !== 'cancel')).toHaveLength(1);
});

test('grpc-go is called by us, and told that the rest is not wanted', async ({ skip }) => {
  const { path } = peer ?? skip(NO_GO);
  const call = await callerOf(path);
  const given = new Recorder();
  const up = call(given);
  up.data(frameMessage(Buffer.from('a')));
  await given.heard(6);
  up.cancel({ kind: 'reset', reason: 'enough' });
  up.abort({ kind: 'reset', reason: 'enough' });
  const after = new Recorder();
  const next = call(after);
  next.data(frameMessage(Buffer.from('b')));
  next.end([]);
  expect(await after.outcome()).toMatchObject({ kind: 'end' });
});
