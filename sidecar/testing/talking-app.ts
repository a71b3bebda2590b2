// For tests: an app that agrees to any upgrade and leaves the bytes to the test, and clients that ask for one.
import { type IncomingMessage, type RequestListener, STATUS_CODES } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { MeshSidecar } from './mesh.ts';

export class TalkingApp {
  /** All that it was asked, whether for an upgrade or not. */
  readonly asked: IncomingMessage[] = [];
  #waiting: ((stream: Socket) => void)[] = [];

  readonly handler: RequestListener = (request, response) => {
    this.asked.push(request);
    response.end('plain');
  };

  /** To be called once its server is there. */
  listenTo({ app }: MeshSidecar): void {
    app?.on('upgrade', (request: IncomingMessage, stream: Socket) => {
      this.asked.push(request);
      stream.on('error', () => undefined);
      const { upgrade } = request.headers;
      stream.write(`HTTP/1.1 101 ${STATUS_CODES[101]}\r\nconnection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`);
      for (const tell of this.#waiting.splice(0)) tell(stream);
    });
  }

  /** The bytes of the next one that opens from now on. */
  next(): Promise<Socket> {
    return new Promise((tell) => this.#waiting.push(tell));
  }
}

/** A request for an upgrade, as bytes. */
export function asking(path: string, protocol = 'websocket', ...lines: readonly string[]): string {
  const head = [`GET ${path} HTTP/1.1`, 'host: localhost', 'connection: upgrade', `upgrade: ${protocol}`, ...lines];
  return `${head.join('\r\n')}\r\n\r\n`;
}

/** A connection that does not end its side because the far side has ended its own. */
export function halfOpen(port: number): Socket {
  return connect({ port, host: '127.0.0.1', allowHalfOpen: true });
}

/** Resolves when the stream is gone, however it went. */
export function gone(stream: Socket): Promise<void> {
  return new Promise((closed) => (stream.closed ? closed() : void stream.once('close', () => closed())));
}
