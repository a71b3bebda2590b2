// The byte stream of a connection on a socket of the platform, plain or TLS.
import { Socket, type SocketConstructorOpts } from 'node:net';
import { TLSSocket } from 'node:tls';
import { leavesBuffers } from '../kit/young-garbage.ts';
import type { ByteLink, ByteLinkEvents, Lent } from './byte-link.ts';
import { Intake } from './socket-intake.ts';

/**
 * The socket should be made with `allowHalfOpen`: else the platform ends our side as soon as the far side ends its own,
 * which cuts a tunnel short. From now on it belongs to the link.
 */
export function socketLink(socket: Socket): ByteLink {
  socket.setNoDelay(true);
  return new SocketLink(socket);
}

/** Of sockets that have no `data` events: their links read them. */
const intakes = new WeakMap<Socket, Intake>();

/** A socket of the platform's making that reads into memory that is there (socket-intake.ts); `open` passes the option on. */
export function withIntake<S extends Socket>(open: (reading: Pick<SocketConstructorOpts, 'onread'>) => S): S {
  const intake = new Intake();
  const socket = open({ onread: intake.onread });
  intakes.set(socket, intake);
  return socket;
}

class SocketLink implements ByteLink {
  readonly #socket: Socket;
  readonly #intake: Intake | undefined;
  /** Of the writes whose bytes were lent, in order: they are told of in that order, too. */
  readonly #lent: Lent[] = [];
  readonly #onSent = (): void => this.#lent.shift()?.sent();

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#intake = intakes.get(socket);
  }

  write(bytes: Buffer, lent?: Lent): boolean {
    if (this.#socket.writableEnded || this.#socket.destroyed) return true;
    if (lent === undefined) return this.#socket.write(bytes);
    this.#lent.push(lent);
    return this.#socket.write(bytes, this.#onSent);
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /**
   * With a reset where there can be one: nobody must take a message that was cut off here for one that ended here. What has
   * ended the kernel still delivers to a far side that reads slowly, and would throw away with a reset.
   */
  destroy(): void {
    const socket = this.#socket;
    // The platform's reset first waits for unsent bytes to leave.
    const canReset = isPlainTcp(socket) && !socket.connecting && socket.writableLength === 0;
    if (canReset && !socket.writableEnded) socket.resetAndDestroy();
    else socket.destroy();
  }

  listen(events: ByteLinkEvents): void {
    const socket = this.#socket;
    let failure: Error | undefined;
    if (socket.closed) {
      queueMicrotask(() => events.closed(undefined));
      return;
    }
    this.#read((chunk) => {
      leavesBuffers(chunk.length);
      events.data(chunk);
    });
    socket.on('drain', () => events.drained());
    socket.on('end', () => events.ended());
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('close', () => events.closed(failure));
  }

  /**
   * What comes while nothing waits is taken where the platform pushes it into its stream, which would hand it on, and then ask in
   * a tick of its own whether more is wanted: a round trip costs a twentieth less (bench/intake.bench.ts). Whatever else
   * there is goes through the stream: the end, and what comes while somebody has paused.
   */
  #readStraight(receive: (chunk: Buffer) => void): void {
    const socket = this.#socket;
    const push = socket.push.bind(socket);
    socket.push = (chunk, encoding) => {
      if (!Buffer.isBuffer(chunk) || socket.readableFlowing !== true || socket.readableLength > 0)
        return push(chunk, encoding);
      receive(chunk);
      return true;
    };
    socket.on('data', receive);
  }

  #read(receive: (chunk: Buffer) => void): void {
    const socket = this.#socket;
    const intake = this.#intake;
    if (intake === undefined) {
      this.#readStraight(receive);
      return;
    }
    if (!intake.listen(receive)) return;
    // Not from within `listen`: whoever listens is not ready yet.
    queueMicrotask(() => {
      if (socket.destroyed) return;
      intake.deliverEarly();
      if (!socket.isPaused()) socket.resume();
    });
  }
}

/** TLS has no resets, nor do Unix sockets, which have no address either. */
function isPlainTcp(socket: Socket): boolean {
  return !(socket instanceof TLSSocket) && socket.remoteAddress !== undefined;
}

type Written = (error?: Error | null) => void;

/**
 * A socket for clients. A server may answer and close while the request is still being written (a 401 to a large upload).
 * The write then fails before the answer was read, and the platform would close the socket at once and lose it; so a
 * failed write waits here until the reading is over. Who reads it is the link: it has no `data` events.
 */
export class AnswerFirstSocket extends Socket {
  readonly #failure = new WriteFailure(this);

  constructor(options: SocketConstructorOpts) {
    const intake = new Intake();
    super({ ...options, onread: intake.onread });
    intakes.set(this, intake);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, written: Written): void {
    super._write(chunk, encoding, this.#failure.held(written));
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], written: Written): void {
    super._writev?.(chunks, this.#failure.held(written));
  }
}

/** The same of a client's socket over TLS. The platform makes those itself, so this one is taught it. */
export function answerFirst(socket: TLSSocket): TLSSocket {
  const failure = new WriteFailure(socket);
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  socket._write = (chunk, encoding, written) => write(chunk, encoding, failure.held(written));
  if (writev !== undefined) socket._writev = (chunks, written) => writev(chunks, failure.held(written));
  return socket;
}

/** Between a socket and whoever is told how its writes went. There is one write at a time. */
class WriteFailure {
  readonly #socket: Socket;
  #written: Written = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** To be called in place of `written`, which hears of a failure when nothing more is to be read. */
  held(written: Written): Written {
    this.#written = written;
    return this.#tell;
  }

  readonly #tell: Written = (error) => {
    const socket = this.#socket;
    const written = this.#written;
    if (!error || socket.destroyed || socket.readableEnded) {
      written(error);
      return;
    }
    const settle = () => {
      socket.removeListener('end', settle);
      socket.removeListener('close', settle);
      written(error);
    };
    socket.once('end', settle);
    socket.once('close', settle);
  };
}
