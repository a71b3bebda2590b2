// For tests: a server that answers a request which is still being written, and hangs up with much of it unread, which the kernel
// makes a reset. The server has a thread of its own: this one stands still meanwhile, and its next write fails before it has
// read a byte of the answer.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import { socketLink } from '../../wire/socket-link.ts';

export interface HastyServer {
  readonly port: number;
  /** All that comes on a connection to it whose request is cut short so. */
  answerTo(socket: Socket): Promise<string>;
}

const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const { certificate, closed } = workerData;
const { createServer } = require(certificate ? 'node:tls' : 'node:net');
const server = createServer({ ...certificate, allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => socket.pause());
  socket.once('close', () => {
    Atomics.store(closed, 0, 1);
    Atomics.notify(closed, 0);
  });
  parentPort.once('message', () => socket.end('answer', () => socket.destroy()));
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;
const REQUEST_BYTES = 300 * 1024;
const WAIT_MS = 10_000;

/** With a certificate over TLS. It takes one connection, and ends with the test. */
export async function hastyServer(certificate?: { readonly cert: string; readonly key: string }): Promise<HastyServer> {
  const closed = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(PROGRAM, { eval: true, workerData: { certificate, closed } });
  onTestFinished(async () => void (await worker.terminate()));
  const [port]: number[] = await once(worker, 'message');
  if (port === undefined) throw new Error('no port');
  return {
    port,
    async answerTo(socket) {
      let answer = '';
      const link = socketLink(socket);
      const over = new Promise<string>((done) => {
        const data = (chunk: Buffer) => {
          answer += chunk.toString();
        };
        link.listen({ data, drained: () => undefined, ended: () => link.end(), closed: () => done(answer) });
      });
      await new Promise((sent) => link.write(Buffer.alloc(REQUEST_BYTES), { sent: () => sent(undefined) }));
      worker.postMessage('answer');
      Atomics.wait(closed, 0, 0, WAIT_MS);
      for (let again = 0; again < 3; again++) link.write(Buffer.alloc(1000));
      return over;
    },
  };
}
