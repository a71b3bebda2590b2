// How a pod's sidecar hears that its pod is to end: on a Unix socket in a folder that no other container sees. SIGTERM comes
// only once the app is gone, which would be too late to take no new calls; the kubelet runs preStop at once (drain.ts).
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { messageOf } from '../kit/errors.ts';
import { type Listener, listen } from '../kit/listen.ts';
import { err, type Result } from '../kit/result.ts';

/** preStop runs once. */
const CONNECTIONS_MAX = 16;

/** Calls `drain` when asked, and answers once it has returned. */
export async function openDrainSwitch(path: string, drain: () => void): Promise<Result<Listener>> {
  try {
    // Left by this container's life before: nobody else listens there.
    rmSync(path, { force: true });
  } catch (error) {
    return err(messageOf(error));
  }
  const server = createServer((socket: Socket) => {
    socket.once('data', () => {
      drain();
      socket.end('draining\n');
    });
  });
  return listen(server, { path }, { connectionsMax: CONNECTIONS_MAX });
}
