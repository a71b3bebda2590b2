// Connections to the app, kept for a moment between calls.
//
// A kept connection is a race: the app may close it just as the next call is written, and nobody can tell whether the
// app saw that call. So it idles for a second at most, which is less than any server's own patience, or for what the
// app announced in Keep-Alive less a second.
import { Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import { type NetConnectOpts, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { headerValue } from '../../api/headers.ts';
import type { Clock } from '../../kit/clock.ts';
import { AnswerFirstSocket } from '../../wire/socket-link.ts';
import { loopbackFirst } from './address.ts';

const IDLE_MS_MAX = 1000;
const CONNECT_TIMEOUT_MS = 2000;
/**
 * The next address is tried when one has refused. The platform would also go on when 250 ms have passed, which they have
 * after any hiccup of this process, and then the refusal of ::1 hides that 127.0.0.1 was about to answer.
 */
const ONE_ADDRESS_AFTER_THE_OTHER = {
  autoSelectFamily: true,
  autoSelectFamilyAttemptTimeout: CONNECT_TIMEOUT_MS,
} as const;
/** As many sockets as one app can sensibly serve; a further call waits for one of them. */
const SOCKETS_MAX = 1024;
const FREE_SOCKETS_MAX = 64;

export class AppAgent extends Agent {
  readonly #clock: Clock;
  readonly #idleMs = new WeakMap<Duplex, number>();

  constructor(clock: Clock) {
    super({ keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: FREE_SOCKETS_MAX, scheduling: 'lifo' });
    this.#clock = clock;
  }

  /** Notes what the app said about this connection; to be called with each response. */
  answered(response: IncomingMessage): void {
    const announced = /(?:^|[,; ])timeout=(\d{1,6})/i.exec(headerValue(response.rawHeaders, 'keep-alive') ?? '')?.[1];
    const idleMs = announced === undefined ? IDLE_MS_MAX : Math.min(IDLE_MS_MAX, Number(announced) * 1000 - 1000);
    this.#idleMs.set(response.socket, idleMs);
  }

  /** An attempt that hangs is given up: an app on this machine answers at once or not at all. */
  override createConnection(options: NetConnectOpts): Duplex {
    const socket = new AnswerFirstSocket().connect({
      ...options,
      lookup: loopbackFirst,
      ...ONE_ADDRESS_AFTER_THE_OTHER,
    });
    socket.setNoDelay(true);
    const cancel = this.#clock.after(CONNECT_TIMEOUT_MS, () => {
      socket.destroy(new Error(`connecting took longer than ${CONNECT_TIMEOUT_MS} ms`));
    });
    socket.once('connect', cancel);
    socket.once('close', cancel);
    return socket;
  }

  /** Asked by node:http when a response is done: is the connection kept? (Its own answer waits for 5 s and more.) */
  override keepSocketAlive(socket: Duplex): boolean {
    const idleMs = this.#idleMs.get(socket) ?? IDLE_MS_MAX;
    if (idleMs <= 0 || !(socket instanceof Socket)) return false;
    socket.unref();
    socket.setTimeout(idleMs);
    return true;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    if (socket instanceof Socket) socket.setTimeout(0);
    super.reuseSocket(socket, request);
  }
}
