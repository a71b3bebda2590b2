// For tests: as much of an HTTP/2 server as it takes to give header blocks to Node's client and to take them from it.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { must } from '../../../kit/result.ts';
import { portOf } from '../../../kit/testing/ports.ts';
import type { Fields } from '../../message.ts';
import { type DecodedBlock, NO_PSEUDO } from '../block.ts';
import { HpackDecoder } from '../decoder.ts';
import { HpackEncoder } from '../encoder.ts';

const PREFACE_BYTES = 24;
const FRAME_HEAD_BYTES = 9;
const [HEADERS, SETTINGS, PING] = [1, 4, 6];
const ACK = 1;
const END_STREAM_AND_HEADERS = 5;
const PRIORITY = 0x20;
const HEADER_TABLE_SIZE = 1;

export interface BareServer {
  readonly port: number;
  /** What each request said, in order. */
  readonly requests: readonly DecodedBlock[];
  close(): Promise<void>;
}

interface Options {
  readonly tableBytesMax: number;
  readonly insertAt: 'first-sight' | 'second-sight';
  /** The fields of the next response. */
  readonly respond: () => Fields;
}

export async function bareServer(options: Options): Promise<BareServer> {
  const requests: DecodedBlock[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, options, requests);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { port: portOf(server), requests, close };
}

function serve(socket: Socket, { tableBytesMax, insertAt, respond }: Options, requests: DecodedBlock[]): void {
  const decoder = new HpackDecoder({ tableBytesMax });
  const encoder = new HpackEncoder({ tableBytesMax, insertAt });
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(HEADER_TABLE_SIZE);
  settings.writeUInt32BE(tableBytesMax, 2);
  socket.write(frame(SETTINGS, 0, 0, settings));
  readFrames(socket, (type, flags, id, payload) => {
    if (type === SETTINGS && flags === ACK) decoder.settingsAcknowledged();
    if (type === SETTINGS && flags !== ACK) {
      for (let at = 0; at < payload.length; at += 6) {
        if (payload.readUInt16BE(at) === HEADER_TABLE_SIZE) encoder.peerAllowsTable(payload.readUInt32BE(at + 2));
      }
      socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    }
    if (type === PING && flags !== ACK) socket.write(frame(PING, ACK, 0, payload));
    if (type !== HEADERS) return;
    requests.push(must(decoder.decode(payload.subarray(flags & PRIORITY ? 5 : 0))));
    const block = must(encoder.encode({ ...NO_PSEUDO, status: '200' }, respond()));
    socket.write(frame(HEADERS, END_STREAM_AND_HEADERS, id, block));
  });
}

function readFrames(socket: Socket, take: (type: number, flags: number, id: number, payload: Buffer) => void): void {
  let left = Buffer.alloc(0);
  let skip = PREFACE_BYTES;
  socket.on('data', (chunk) => {
    left = Buffer.concat([left, chunk]);
    if (left.length < skip) return;
    left = left.subarray(skip);
    skip = 0;
    while (left.length >= FRAME_HEAD_BYTES && left.length >= FRAME_HEAD_BYTES + left.readUIntBE(0, 3)) {
      const end = FRAME_HEAD_BYTES + left.readUIntBE(0, 3);
      take(left.readUInt8(3), left.readUInt8(4), left.readUInt32BE(5), left.subarray(FRAME_HEAD_BYTES, end));
      left = left.subarray(end);
    }
  });
  socket.on('error', () => {});
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}
