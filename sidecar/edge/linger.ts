// Closing a connection whose client is still sending.
//
// If it were closed at once, what is unread would make the kernel answer with a reset, and a reset may reach the client
// before it has read the answer: the 413 would be lost. So our side is ended, the rest is read and thrown away, and the
// connection goes when the client has gone, or when that takes too long.
import type { Socket } from 'node:net';
import type { Clock } from '../../kit/clock.ts';

const LINGER_MS_MAX = 5000;
const LINGER_BYTES_MAX = 64 * 1024 * 1024;

/**
 * From now on the socket lingers when node:http closes it: `destroySoon` is what it calls once the last response of a
 * connection is written.
 */
export function lingerOnClose(socket: Socket, clock: Clock): void {
  socket.destroySoon = () => linger(socket, clock);
}

export function linger(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return;
  let bytes = 0;
  const cancel = clock.after(LINGER_MS_MAX, () => socket.destroy());
  socket.once('close', cancel);
  socket.on('end', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES_MAX) socket.destroy();
  });
  socket.end();
  socket.resume();
}
