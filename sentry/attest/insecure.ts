// Believes whoever asks, on one machine: the socket's folder, or the machine itself, is then the boundary.
import type { Validator } from './attest.ts';

export const insecureValidator: Validator = async ({ origin }) =>
  origin === 'network' ? 'the insecure validator serves this machine alone; bring a token' : undefined;
