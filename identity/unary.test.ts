// A call that is alone on its connection: whatever the server does with it, there is one outcome, and nothing is left behind.
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ok, type Result } from '../kit/result.ts';
import { manualClock } from '../kit/testing/clock.ts';
import { frameMessage } from '../wire/grpc-frame.ts';
import { ErrorCode, Flag, FrameType } from '../wire/http2/protocol.ts';
import type { Fields } from '../wire/message.ts';
import { socketLink } from '../wire/socket-link.ts';
import { block, headers, number32, RawPeer, rawFrame, settings } from '../wire/testing/raw-frames.ts';
import { callUnary, type UnaryFailure } from './unary.ts';

type Reply = Result<Buffer, UnaryFailure>;

/** A call to a server that says these frames, once it has the whole request. */
async function callTo(...said: readonly Buffer[]) {
  const folder = mkdtempSync(join(tmpdir(), 'invoke-unary-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'socket');
  const server = net.createServer({ allowHalfOpen: true });
  const connected = new Promise<net.Socket>((done) => void server.once('connection', done));
  await new Promise<void>((done) => void server.listen(path, done));
  const [clock, replies]: [ReturnType<typeof manualClock>, Reply[]] = [manualClock(), []];
  const connect = () => net.connect({ path, allowHalfOpen: true });
  const to = { scheme: 'http', authority: 'localhost', path: '/a.B/C' } as const;
  const cancel = callUnary({ ...to, connect, message: Buffer.from('hello'), timeoutMs: 3000, clock }, (reply) =>
    replies.push(reply),
  );
  const socket = await connected;
  const link = socketLink(socket);
  const peer = new RawPeer(link, true);
  const request = await peer.awaited(FrameType.DATA, 1);
  peer.send(...said);
  return {
    ...{ clock, cancel, peer, request, link },
    /** The outcome, with which the connection and all timers are gone. */
    async outcome() {
      await expect.poll(() => replies.length).toBe(1);
      await peer.closed();
      expect(clock.waiting()).toEqual([]);
      await new Promise((done) => server.close(done));
      expect(replies).toHaveLength(1);
      return replies[0];
    },
  };
}

const head = (fields: Fields = [], flags = 0) =>
  headers(1, block({ status: '200' }, ['content-type', 'application/grpc', ...fields]), Flag.END_HEADERS | flags);
const data = (...messages: readonly string[]) =>
  rawFrame(FrameType.DATA, 0, 1, Buffer.concat(messages.map((text) => frameMessage(Buffer.from(text)))));
const trailers = (...fields: readonly string[]) => headers(1, block({}, fields), Flag.END_HEADERS | Flag.END_STREAM);
const goaway = (lastId: number, code: number) =>
  rawFrame(FrameType.GOAWAY, 0, 0, Buffer.concat([number32(lastId), number32(code)]));
const reset = (code: number) => rawFrame(FrameType.RST_STREAM, 0, 1, number32(code));

const answer = [head(), data('world'), trailers('grpc-status', '0')];

test('a call is one message with an end, and its answer is one message', async () => {
  const { request, outcome } = await callTo(settings(), ...answer);
  expect(request).toMatchObject({ flags: Flag.END_STREAM, payload: frameMessage(Buffer.from('hello')) });
  expect(await outcome()).toEqual(ok(Buffer.from('world')));
});

test.each<[string, readonly Buffer[]]>([
  ['that says first that it will answer', [headers(1, block({ status: '103' })), ...answer]],
  ['that is about to go', [goaway(1, ErrorCode.NO_ERROR), ...answer]],
])('a server %s is heard to the end', async (_what, said) => {
  const { outcome } = await callTo(settings(), ...said);
  expect(await outcome()).toEqual(ok(Buffer.from('world')));
});

const status = (code: number, message: string) => ({ kind: 'status', status: code, message });
const malformed = (reason: string) => ({ kind: 'malformed', reason });
const broken = (message: string) => ({ kind: 'broken', cause: expect.objectContaining({ message }) });

test.each<[string, readonly Buffer[], object]>([
  ['refuses at once', [head(['grpc-status', '7', 'grpc-message', 'no%21'], Flag.END_STREAM)], status(7, 'no!')],
  ['refuses after its head', [head(), trailers('grpc-status', '14', 'grpc-message', 'later')], status(14, 'later')],
  ['sends nothing', [head(['grpc-status', '0'], Flag.END_STREAM)], malformed('it sent 0 messages, not one')],
  ['sends two', [head(), data('a', 'b'), trailers('grpc-status', '0')], malformed('it sent 2 messages, not one')],
  ['has no status', [head(), data('a'), trailers('x', 'y')], malformed('it answered 200 without a grpc-status')],
  [
    'shows a page',
    [headers(1, block({ status: '404' })), rawFrame(FrameType.DATA, 0, 1, Buffer.from('Not found'))],
    malformed('it answered 404 without a grpc-status'),
  ],
  ['gives up', [reset(ErrorCode.INTERNAL_ERROR)], broken('it gave the call up with RST_STREAM with INTERNAL_ERROR')],
  [
    'gives up amid its answer',
    [head(), data('world'), reset(ErrorCode.CANCEL)],
    broken('it gave the call up with RST_STREAM with CANCEL'),
  ],
  ['goes away', [goaway(0, ErrorCode.NO_ERROR)], broken('it gave the call up with GOAWAY with NO_ERROR')],
])('a server that %s has refused or broken the call, in words', async (_what, said, error) => {
  const { outcome } = await callTo(settings(), ...said);
  expect(await outcome()).toEqual({ ok: false, error });
});

test('a server that answers before its settings does not speak HTTP/2', async () => {
  const { outcome } = await callTo(...answer);
  const why = 'it does not speak HTTP/2 as it should: another frame before SETTINGS';
  expect(await outcome()).toEqual({ ok: false, error: broken(why) });
});

test('a server that hangs up amid its answer has given none', async () => {
  const { link, outcome } = await callTo(settings(), head(), data('world'));
  link.end();
  expect(await outcome()).toEqual({ ok: false, error: broken('the connection was closed') });
});

test.each<[string, readonly Buffer[]]>([
  ['not even its settings', []],
  ['its settings and no more', [settings()]],
  ['all but the end', [settings(), head(), data('world')]],
])('a server that says %s has its time', async (_what, said) => {
  const { clock, outcome } = await callTo(...said);
  clock.advance(3000);
  expect(await outcome()).toEqual({ ok: false, error: broken('no answer within 3000 ms') });
});

test('a call that was cancelled has no outcome, and no connection', async () => {
  const { cancel, clock, peer } = await callTo(settings(), head());
  cancel();
  cancel();
  await peer.closed();
  expect(clock.waiting()).toEqual([]);
});
