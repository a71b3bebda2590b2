// The program that preStop runs in the sidecar's container: asks the sidecar to drain and waits until it does. It ends well
// and soon whatever happens, for a pod must not be held up by it.
import { connect } from 'node:net';
import { PATHS } from '../api/pod.ts';

const TIMEOUT_MS = 2000;

const socket = connect(PATHS.drainSocket);
socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
socket.on('error', () => undefined);
socket.on('connect', () => socket.write('drain\n'));
socket.resume();
