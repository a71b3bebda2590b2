// A peer that resets a stream in the read that opens it: the sidecar is told of a stream that is over already.
//
// Both frames may be read in one go, before or after the answer to the first is written; whichever it is, the connection
// lives on. The frames are made by hand, in TLS records of a chosen size, so that they arrive together.
import { once } from 'node:events';
import tls, { type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { CALL_LOCAL_STREAM } from '../link/messages.ts';
import { identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const END_HEADERS = 4;
const FRAME_HEAD_BYTES = 9;
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0)]);
const CANCEL = Buffer.from([0, 0, 0, 8]);
/** The smallest that TLS allows. */
const RECORD_BYTES = 512;

let mesh: Mesh;
let callee: MeshSidecar;

beforeAll(async () => {
  mesh = await startMesh();
  callee = await mesh.start('callee');
});
afterAll(() => mesh.close());

test.each<[string, Buffer]>([
  ['of no method', openStream(3, '/no/method')],
  ['that is not gRPC', openStream(3, CALL_LOCAL_STREAM, 'text/html')],
  ['of a method', openStream(3, CALL_LOCAL_STREAM)],
])(
  'a call %s that is reset as it is opened leaves the connection as it was, and the next one is answered',
  async (_, opened) => {
    const socket = await connected();
    // One write of two records, which are read one after the other at once. The first makes the sidecar write (its answer
    // to our SETTINGS) and holds the beginning of a long DATA; the second, read during that write, begins with its rest.
    const message = frameMessage(Buffer.alloc(2 * RECORD_BYTES));
    const first = [PREFACE, openStream(1, CALL_LOCAL_STREAM), frame(DATA, 1, message.subarray(0, RECORD_BYTES))];
    socket.write(Buffer.concat([...first, opened, frame(RST_STREAM, 3, CANCEL)]));
    socket.write(openStream(5, '/no/method'));
    await expect(answered(socket, 5)).resolves.toBeUndefined();
  },
);

async function connected(): Promise<TLSSocket> {
  const { svid } = mesh.ca.issue(identityOf('web'));
  const socket = tls.connect({
    host: '127.0.0.1',
    port: callee.sidecar.ports.peer,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
    cert: svid.chainPem,
    key: svid.keyPem,
  });
  await once(socket, 'secureConnect');
  socket.setMaxSendFragment(RECORD_BYTES);
  // The sidecar's SETTINGS: from here on it reads HTTP/2.
  await once(socket, 'readable');
  return socket;
}

/** Once HEADERS of this stream have come; closes the connection. */
async function answered(socket: TLSSocket, id: number): Promise<void> {
  let unread = Buffer.alloc(0);
  for await (const chunk of socket) {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= FRAME_HEAD_BYTES) {
      const frameBytes = FRAME_HEAD_BYTES + unread.readUIntBE(0, 3);
      if (unread.length < frameBytes) break;
      if (unread[3] === HEADERS && unread.readUInt32BE(5) === id) return;
      unread = unread.subarray(frameBytes);
    }
  }
  throw new Error(`the connection ended before stream ${id} was answered`);
}

/** RFC 9113, section 4.1. */
function frame(type: number, streamId: number, payload: Buffer = Buffer.alloc(0), flags = 0): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

function openStream(streamId: number, path: string, contentType = 'application/grpc'): Buffer {
  const fields = { ':method': 'POST', ':scheme': 'https', ':path': path, ':authority': 'peer', te: 'trailers' };
  const block = Object.entries({ ...fields, 'content-type': contentType }).map(([name, value]) => literal(name, value));
  return frame(HEADERS, streamId, Buffer.concat(block), END_HEADERS);
}

/** A field without indexing and without Huffman code, shorter than 127 bytes: RFC 7541, section 6.2.2. */
function literal(name: string, value: string): Buffer {
  return Buffer.from(`\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`);
}
