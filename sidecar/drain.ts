// The program that preStop runs in the sidecar's container.
import { PATHS } from '../api/pod.ts';
import { askToDrain } from './ask-to-drain.ts';

const TIMEOUT_MS = 2000;

await askToDrain(PATHS.drainSocket, TIMEOUT_MS);
