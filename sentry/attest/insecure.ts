// Believes whoever asks, on one machine: the socket's folder, or the machine itself, is then the boundary.
import { err, ok } from '../../kit/result.ts';
import type { Validator } from './attest.ts';

export const insecureValidator: Validator = async ({ identity, origin }) =>
  origin === 'network'
    ? err({ kind: 'not-proven', reason: 'the insecure validator serves this machine alone; bring a token' })
    : ok({ identity });
