// For tests: the platform's WebSocket, with what it has heard.
import type { Message } from './web-socket-app.ts';

export interface OpenOptions {
  readonly protocols?: string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export class Client {
  readonly socket: WebSocket;
  readonly heard: Message[] = [];
  /** How it ended, whoever ended it. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #opened: Promise<void>;
  #heardMore: () => void = () => undefined;

  constructor(url: string, options: OpenOptions = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), { ...options });
    this.socket.binaryType = 'arraybuffer';
    this.socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) => {
      this.heard.push(typeof data === 'string' ? data : Buffer.from(data));
      this.#heardMore();
    });
    this.closed = new Promise((done) => {
      this.socket.addEventListener('close', ({ code, reason }) => {
        done({ code, reason });
        this.#heardMore();
      });
    });
    this.#opened = new Promise((done, failed) => {
      this.socket.addEventListener('open', () => done());
      this.socket.addEventListener('error', () => failed(new Error(`no WebSocket at ${url}`)));
    });
    this.#opened.catch(() => undefined);
  }

  /** Rejects where the handshake was refused. */
  static async open(url: string, options?: OpenOptions): Promise<Client> {
    const client = new Client(url, options);
    await client.#opened;
    return client;
  }

  send(message: Message): void {
    this.socket.send(typeof message === 'string' ? message : new Uint8Array(message));
  }

  /** Resolves when so many messages have come; rejects when it closes first. */
  async hear(count: number): Promise<readonly Message[]> {
    while (this.heard.length < count) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed after ${this.heard.length} messages`);
      await new Promise<void>((heard) => {
        this.#heardMore = heard;
      });
    }
    return this.heard;
  }
}
