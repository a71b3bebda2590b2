// What both ends of a peer connection do alike: windows, pings, and retirement by age.
import type { Http2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Random } from '../../kit/backoff.ts';
import { type Cancel, type Clock, every } from '../../kit/clock.ts';

/** What one stream may have in flight before its receiver has taken it. */
export const PEER_STREAM_WINDOW_BYTES = 1024 * 1024;
/** What all streams of a connection may, so that one that nobody reads cannot hold up the others. */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;

/** A peer that vanished is noticed within 15 s. */
const PING_PERIOD_MS = 10_000;
const PING_TIMEOUT_MS = 5000;

/**
 * Ends a session together with its socket. The platform does neither by itself: a session that was closing waits for the
 * other end, and a socket whose bytes go to HTTP/2 never looks whether the other end has hung up.
 */
export function joinFates(session: Http2Session, socket: TLSSocket): void {
  socket.once('end', () => session.destroy());
  socket.resume();
  session.once('close', () => socket.destroy());
}

export function destroySession(session: Http2Session, socket: TLSSocket): void {
  session.destroy();
  socket.destroy();
}

export function widenWindow(session: Http2Session): void {
  session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
}

/** Calls `onDead` when the other end leaves a ping unanswered; a peer that vanished leaves no other sign. */
export function keepAlive(session: Http2Session, clock: Clock, onDead: () => void): Cancel {
  let cancelDead: Cancel = () => undefined;
  const cancelPing = every(clock, PING_PERIOD_MS, () => {
    if (session.destroyed) return;
    cancelDead();
    cancelDead = clock.after(PING_TIMEOUT_MS, onDead);
    session.ping(() => cancelDead());
  });
  return () => {
    cancelPing();
    cancelDead();
  };
}

/**
 * How long a connection takes new calls: half of what the shorter certificate has left, ± 20 %, so that every
 * connection is made anew under the renewed certificate, well before the old one ends, and not all at once.
 */
export function retireAfterMs(notAfter: number, now: number, random: Random): number {
  return Math.max(0, ((notAfter - now) / 2) * (0.8 + 0.4 * random()));
}
