// For tests: an app whose every byte is the test's own, and calls that do with its connections what the transport does.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { expect } from 'vitest';
import { portOf } from '../../kit/testing/ports.ts';
import { ReceivedResponse, requestHead } from '../../wire/http1/testing/drive.ts';
import type { Fields, Requester, RequestHead, WireFailure } from '../../wire/message.ts';
import type { ConnectProblem } from './connect.ts';
import type { AppConnection, AppPool, AppWaiter } from './pool.ts';

/** It notes what it reads, and says nothing unless it is told to. */
export class RawApp {
  readonly server: Server;
  readonly sockets: Socket[] = [];
  /** What arrived on each connection. */
  readonly received: string[] = [];

  private constructor(server: Server) {
    this.server = server;
    server.on('connection', (socket) => {
      const at = this.sockets.push(socket) - 1;
      this.received.push('');
      // Else they would count among what keeps this process alive.
      socket.unref();
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        this.received[at] += chunk.toString('latin1');
      });
    });
  }

  static async listen(host: string, port = 0): Promise<RawApp> {
    const server = createServer({ allowHalfOpen: true }).listen(port, host);
    await once(server, 'listening');
    return new RawApp(server);
  }

  get port(): number {
    return portOf(this.server);
  }

  socket(connection: number): Socket {
    const socket = this.sockets[connection];
    if (socket === undefined) throw new Error(`there is no connection ${connection}`);
    return socket;
  }

  /** Answers once the request is there. */
  async answer(connection: number, ...fields: readonly string[]): Promise<void> {
    await expect.poll(() => this.received[connection]).toMatch(/\r\n\r\n/);
    this.received[connection] = '';
    const lines = ['HTTP/1.1 200 OK', 'content-length: 2', ...fields];
    this.socket(connection).write(`${lines.join('\r\n')}\r\n\r\nok`);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}

class Answer extends ReceivedResponse {
  readonly #over: () => void;

  constructor(over: () => void) {
    super();
    this.#over = over;
  }

  override end(trailers: Fields): void {
    super.end(trailers);
    this.#over();
  }

  override abort(failure: WireFailure): void {
    super.abort(failure);
    this.#over();
  }
}

/** One call as the transport makes it. */
export class PoolCall implements AppWaiter {
  readonly answer: ReceivedResponse;
  readonly #head: RequestHead;
  readonly #body: Buffer;
  connection: AppConnection | undefined;
  requester: Requester | undefined;
  cause: string | undefined;

  constructor(pool: AppPool, head: Partial<RequestHead> = {}, body = Buffer.alloc(0)) {
    this.answer = new Answer(() => {
      if (this.connection !== undefined) pool.release(this.connection);
    });
    this.#body = body;
    this.#head = requestHead(head);
    const taken = pool.take();
    if (taken === undefined) pool.wait(this);
    else this.connected(taken);
  }

  connected(connection: AppConnection): void {
    this.requester = connection.request(this.#head, this.answer);
    if (this.answer.outcomes.length > 0) return;
    this.connection = connection;
    this.requester.data(this.#body);
    this.requester.end([]);
  }

  unreachable({ cause }: ConnectProblem): void {
    this.cause = cause;
  }

  async ended(): Promise<void> {
    await expect.poll(() => this.answer.outcomes).toHaveLength(1);
  }

  /** It is sent, and nothing of its answer is there. */
  async sent(): Promise<this> {
    await expect.poll(() => this.connection).toBeDefined();
    return this;
  }
}
