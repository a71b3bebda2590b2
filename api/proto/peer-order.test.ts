// In which order the messages of a stream between sidecars may come.
import { describe, expect, test } from 'vitest';
import { StreamOrder } from './peer.ts';

describe('a stream', () => {
  const head = { verb: 'GET' };
  const first = { head, data: undefined, seq: 0, trailers: [] };
  const piece = (seq: number) => ({ head: undefined, data: Buffer.from('x'), seq, trailers: [] });
  const last = { head: undefined, data: undefined, seq: 0, trailers: ['x', '1'] };

  test.each([
    ['a head, pieces in turn, trailers', [first, piece(0), piece(1), last]],
    ['a piece together with the head', [{ ...first, data: Buffer.from('x') }, piece(1)]],
    ['a message without a piece between others', [first, piece(0), last, piece(1)]],
  ])('may be %s', (_, messages) => {
    const order = new StreamOrder();
    for (const message of messages) expect(order.accept(message)).toEqual({ ok: true, value: undefined });
  });

  test.each([
    ['without a head', [piece(0)]],
    ['with a second head', [first, first]],
    ['with a second head behind pieces', [first, piece(0), { ...first, data: Buffer.from('x'), seq: 1 }]],
    ['that begins at piece 1', [first, piece(1)]],
    ['with a gap', [first, piece(0), piece(2)]],
    ['with a piece twice', [first, piece(0), piece(0)]],
  ])('%s is refused at the message that breaks it', (_, messages) => {
    const order = new StreamOrder();
    const verdicts = messages.map((message) => order.accept(message).ok);
    expect(verdicts).toEqual(messages.map((_, i) => i < messages.length - 1));
  });
});
