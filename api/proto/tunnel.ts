// The messages of a tunnel between sidecars (peer.proto). Requests and replies are written and read alike; a field that the
// other direction has not is empty there.
import { err, ok, type Result } from '../../kit/result.ts';
import { delimited, nested, text, uint } from './byte-text.ts';
import { FieldCursor } from './field-cursor.ts';
import type { EncodedMessage } from './peer-encoding.ts';

export const TUNNEL = '/invoke.v1.Peer/Tunnel';

export interface TunnelMessage {
  /** InternalInvokeRequest or InternalInvokeResponse, in bytes. */
  readonly head: Buffer | undefined;
  readonly protocol: string;
  readonly data: Buffer | undefined;
  readonly isEnd: boolean;
}

/** The data come last in the message, so that they can be sent as they are. */
export function encodeTunnel({ head, protocol, data, isEnd }: TunnelMessage): EncodedMessage {
  const front =
    (head === undefined ? '' : nested(1, head.toString('latin1'))) + text(2, protocol) + uint(4, isEnd ? 1 : 0);
  if (data === undefined) return { front, piece: undefined };
  return { front: front + delimited(3, data.length), piece: data };
}

export function decodeTunnel(bytes: Buffer): Result<TunnelMessage> {
  const cursor = new FieldCursor(bytes);
  let head: Buffer | undefined;
  let data: Buffer | undefined;
  let protocol = '';
  let isEnd = false;
  while (cursor.next()) {
    if (cursor.isBytes(1)) head = bytes.subarray(cursor.start, cursor.end);
    else if (cursor.isBytes(2)) protocol = cursor.string();
    else if (cursor.isBytes(3)) data = bytes.subarray(cursor.start, cursor.end);
    else if (cursor.isNumber(4)) isEnd = cursor.value !== 0;
  }
  return cursor.broken === undefined ? ok({ head, protocol, data, isEnd }) : err(cursor.broken);
}
