// What the head of a frame says about itself, judged before any of its payload is kept: RFC 9113, section 4.2 and 6.
import { ErrorCode, exceeded, type Fault, Flag, FrameType, malformed, PAYLOAD_BYTES_MAX } from './protocol.ts';

type Place = 'connection' | 'stream' | 'either';

interface Shape {
  readonly name: string;
  readonly place: Place;
  /** The payload's size where it is fixed. */
  readonly bytes?: number;
  readonly bytesMin?: number;
}

const SHAPES: readonly (Shape | undefined)[] = [
  { name: 'DATA', place: 'stream' },
  { name: 'HEADERS', place: 'stream' },
  { name: 'PRIORITY', place: 'stream', bytes: 5 },
  { name: 'RST_STREAM', place: 'stream', bytes: 4 },
  { name: 'SETTINGS', place: 'connection' },
  { name: 'PUSH_PROMISE', place: 'stream' },
  { name: 'PING', place: 'connection', bytes: 8 },
  { name: 'GOAWAY', place: 'connection', bytesMin: 8 },
  { name: 'WINDOW_UPDATE', place: 'either', bytes: 4 },
  { name: 'CONTINUATION', place: 'stream' },
];

/** The fault of a frame with this head; undefined for none, and for a type that nobody knows. */
export function checkFrame(type: number, flags: number, id: number, bytes: number): Fault | undefined {
  if (bytes > PAYLOAD_BYTES_MAX) return malformed(`a frame of ${bytes} bytes`, ErrorCode.FRAME_SIZE_ERROR);
  const shape = SHAPES[type];
  if (shape === undefined) return undefined;
  if (shape.place === 'stream' ? id === 0 : shape.place === 'connection' && id !== 0)
    return malformed(`${shape.name} on stream ${id}`);
  if (type === FrameType.PUSH_PROMISE) return malformed('PUSH_PROMISE, which was not allowed');
  if (isOfWrongSize(type, flags, bytes, shape))
    return malformed(`${shape.name} of ${bytes} bytes`, ErrorCode.FRAME_SIZE_ERROR);
  return undefined;
}

function isOfWrongSize(type: number, flags: number, bytes: number, shape: Shape): boolean {
  if (shape.bytes !== undefined) return bytes !== shape.bytes;
  if (shape.bytesMin !== undefined) return bytes < shape.bytesMin;
  if (type !== FrameType.SETTINGS) return false;
  return (flags & Flag.ACK) !== 0 ? bytes !== 0 : bytes % 6 !== 0;
}

/** How often HEADERS may be continued: enough for any block that the bound on its bytes lets pass. */
export const CONTINUATIONS_MAX = 64;

export function checkContinuation(count: number, blockBytes: number, blockBytesMax: number): Fault | undefined {
  if (blockBytes > blockBytesMax) return exceeded('head-block-bytes');
  return count > CONTINUATIONS_MAX ? exceeded('continuation-flood') : undefined;
}
