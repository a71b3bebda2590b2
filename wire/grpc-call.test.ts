// However a server answers a gRPC call, and however the bytes fall, the call comes to one end, and to the same.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GrpcAnswer, type GrpcEnd } from './grpc-call.ts';
import { frameMessage } from './grpc-frame.ts';
import type { Fields, WireFailure } from './message.ts';

function answer() {
  const messages: string[] = [];
  const ends: GrpcEnd[] = [];
  const receiver = new GrpcAnswer(100, {
    message: (bytes) => messages.push(String(bytes)),
    ended: (end) => ends.push(end),
  });
  return { receiver, messages, ends };
}

const head = (status: number, fields: Fields = []) => ({ status, fields, bodyBytes: undefined });
const fine: GrpcEnd = { kind: 'status', status: 0, message: '' };
const failure: WireFailure = { kind: 'closed', reason: 'the far side hung up' };

test('messages are handed on as they come, and then the status of the trailers', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 20 })), fc.array(fc.nat()), (texts, cuts) => {
      const { receiver, messages, ends } = answer();
      const bytes = Buffer.concat(texts.map((text) => frameMessage(Buffer.from(text))));
      const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      receiver.head(head(200, ['content-type', 'application/grpc']));
      for (let i = 1; i < at.length; i++) expect(receiver.data(bytes.subarray(at[i - 1], at[i]))).toBe('ok');
      expect(ends).toEqual([]);
      receiver.end(['grpc-status', '0']);
      expect([messages, ends]).toEqual([texts, [fine]]);
    }),
  );
});

test('the head of an answer that is nothing else has the status', () => {
  const { receiver, ends } = answer();
  receiver.head({ ...head(200, ['grpc-status', '7', 'grpc-message', 'no%21']), bodyBytes: 0 });
  receiver.end([]);
  expect(ends).toEqual([{ kind: 'status', status: 7, message: 'no%21' }]);
});

test.each<[string, number, Buffer, Fields, string]>([
  ['no status', 200, frameMessage(Buffer.from('a')), ['x', 'y'], 'it answered 200 without a grpc-status'],
  ['a page', 404, Buffer.from('Not found'), [], 'it answered 404 without a grpc-status'],
  ['a status that is none', 200, Buffer.alloc(0), ['grpc-status', 'fine'], 'its grpc-status is no number'],
  ['half a message', 200, Buffer.from([0, 0, 0, 0, 2, 1]), ['grpc-status', '0'], 'it ended amid a message'],
  ['a compressed message', 200, Buffer.from([1, 0, 0, 0, 0]), ['grpc-status', '0'], 'its message is compressed'],
  [
    'a message beyond the limit',
    200,
    frameMessage(Buffer.alloc(101)),
    ['grpc-status', '0'],
    'its message is too-large',
  ],
])('%s has one end', (_what, status, body, trailers, reason) => {
  const { receiver, ends } = answer();
  receiver.head(head(status));
  if (body.length > 0) receiver.data(body);
  receiver.end(trailers);
  receiver.abort(failure);
  expect(ends).toEqual([{ kind: 'malformed', reason }]);
});

test('a refusal counts, whatever was under way', () => {
  const { receiver, ends } = answer();
  receiver.head(head(200));
  receiver.data(Buffer.from([0, 0, 0]));
  receiver.end(['grpc-status', '14']);
  expect(ends).toEqual([{ kind: 'status', status: 14, message: '' }]);
});

test.each<[WireFailure, string]>([
  [failure, 'the connection was closed'],
  [{ kind: 'reset', reason: 'RST_STREAM with CANCEL' }, 'it gave the call up with RST_STREAM with CANCEL'],
  [{ kind: 'refused', reason: 'GOAWAY with NO_ERROR' }, 'it gave the call up with GOAWAY with NO_ERROR'],
  [{ kind: 'malformed', reason: 'a second head' }, 'it does not speak HTTP/2 as it should: a second head'],
  [{ kind: 'limit', reason: 'ping-flood' }, 'it went past the limit ping-flood'],
])('an answer that breaks off because of %j says so in words', (why, reason) => {
  const { receiver, ends } = answer();
  receiver.head(head(200));
  receiver.abort(why);
  receiver.end(['grpc-status', '0']);
  expect(ends).toEqual([{ kind: 'broken', reason }]);
});
