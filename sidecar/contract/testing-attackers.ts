// For tests of attacks: clients that send a target as it is, byte for byte, and do not mind what becomes of it.
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';

/** Gives the status; 0 where there was no answer. */
export type Attack = (target: string) => Promise<number>;

const AT_ONCE = 16;

/** Sends each target once, and gives how often each status came. */
export async function attackAll(
  targets: readonly string[],
  attackers: readonly Attack[],
): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  const waiting = targets.entries();
  const work = async (): Promise<void> => {
    for (const [i, target] of waiting) {
      const attack = attackers[i % attackers.length];
      const status = (await attack?.(target)) ?? 0;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return statuses;
}

/** HTTP/1.1 over connections that are used again as long as they last. */
export class Http1Attacker {
  readonly #port: number;
  readonly #fields: string;
  readonly #idle: Socket[] = [];

  constructor(port: number, fields: readonly string[] = []) {
    this.#port = port;
    this.#fields = [`Host: 127.0.0.1:${port}`, ...fields].map((line) => `${line}\r\n`).join('');
  }

  async attack(target: string): Promise<number> {
    const socket = this.#idle.pop() ?? (await this.#connect());
    socket.write(Buffer.from(`GET ${target} HTTP/1.1\r\n${this.#fields}\r\n`, 'latin1'));
    const { status, isKept } = await answerOn(socket);
    // What is left of a target with a line feed in it may be taken for a request of its own.
    if (isKept && !/[\0-\x20\x7f]/.test(target)) this.#idle.push(socket);
    else socket.destroy();
    return status;
  }

  async #connect(): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  close(): void {
    for (const socket of this.#idle) socket.destroy();
  }
}

interface Answer {
  readonly status: number;
  readonly isKept: boolean;
}

function answerOn(socket: Socket): Promise<Answer> {
  return new Promise((answered) => {
    let received = '';
    const finish = (answer: Answer) => {
      socket.off('data', take).off('close', closed);
      answered(answer);
    };
    const take = (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const answer = readAnswer(received);
      if (answer !== undefined) finish(answer);
    };
    const closed = () => finish({ status: Number(/^HTTP\/1.1 (\d+)/.exec(received)?.[1] ?? 0), isKept: false });
    socket.on('data', take).on('close', closed);
  });
}

/** Undefined while it is not whole. */
function readAnswer(received: string): Answer | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = received.slice(0, end);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  if (received.length < end + 4 + length) return undefined;
  return { status: Number(head.slice(9, 12)), isKept: !/\r\nconnection: *close/i.test(head) };
}

/** HTTP/2 by prior knowledge. What its client library cannot send at all is not sent. */
export class Http2Attacker {
  readonly #session: ClientHttp2Session;
  readonly #fields: Readonly<Record<string, string>>;

  constructor(port: number, fields: Readonly<Record<string, string>> = {}) {
    this.#session = connectHttp2(`http://127.0.0.1:${port}`);
    this.#session.on('error', () => undefined);
    this.#fields = fields;
  }

  async attack(target: string): Promise<number> {
    if (/[\0-\x1f\x7f]/.test(target)) return 0;
    const stream = this.#session.request({ ':path': target, ...this.#fields });
    return statusOf(stream);
  }

  close(): void {
    this.#session.destroy();
  }
}

/** Of gRPC where there is one. */
export async function statusOf(stream: ClientHttp2Stream): Promise<number> {
  let status = 0;
  stream.on('response', (headers) => {
    status = Number(headers['grpc-status'] ?? headers[':status']);
  });
  stream.on('trailers', (headers) => {
    status = Number(headers['grpc-status'] ?? status);
  });
  stream.on('error', () => undefined);
  stream.resume();
  await new Promise((closed) => stream.once('close', closed));
  return status;
}
