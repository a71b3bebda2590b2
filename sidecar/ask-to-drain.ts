// The other end of drain-switch.ts. It gives up soon and never fails: a pod must not be held up by it.
import { connect } from 'node:net';

/** Settles once the sidecar drains, or when nobody says anything for `timeoutMs`. Never rejects. */
export function askToDrain(path: string, timeoutMs: number): Promise<void> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => done());
    socket.on('connect', () => socket.write('drain\n'));
    // What it says is not looked at: that it says it is the answer.
    socket.resume();
  });
}
