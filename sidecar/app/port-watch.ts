// Waits until the app listens: until then the sidecar is not ready, and no other sends it calls.
import { connect } from 'node:net';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { loopbackFirst } from './address.ts';

const PROBE_PERIOD_MS = 100;
const PROBE_TIMEOUT_MS = 500;

/** Calls `onOpen` once, as soon as the port takes a TCP connection. */
export function whenPortOpens(host: string, port: number, clock: Clock, onOpen: () => void): Cancel {
  let cancelStep: Cancel = () => undefined;
  probe();

  function probe(): void {
    cancelStep = probePort(host, port, clock, (isOpen) => {
      if (isOpen) onOpen();
      else cancelStep = clock.after(PROBE_PERIOD_MS, probe);
    });
  }

  return () => cancelStep();
}

/** Whether the port takes a TCP connection, said once, unless it is cancelled. */
export function probePort(host: string, port: number, clock: Clock, done: (isOpen: boolean) => void): Cancel {
  const socket = connect({ host, port, lookup: loopbackFirst, autoSelectFamily: true });
  const cancelTimeout = clock.after(PROBE_TIMEOUT_MS, () => socket.destroy());
  let isOpen = false;
  let isCancelled = false;
  socket.once('connect', () => {
    isOpen = true;
    socket.destroy();
  });
  socket.on('error', () => undefined);
  socket.once('close', () => {
    cancelTimeout();
    if (!isCancelled) done(isOpen);
  });
  return () => {
    isCancelled = true;
    socket.destroy();
  };
}
