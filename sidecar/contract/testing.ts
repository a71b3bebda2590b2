// For tests of the HTTP contract: an app that does what the test tells it, between two real sidecars, and clients that
// say exactly what they are told to say. (fetch would tidy up paths, headers and verbs first.)
import { once } from 'node:events';
import { type IncomingMessage, type RequestListener, request as requestHttp } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type FaultCode, httpStatus, retryAfterSec } from '../../api/fault.ts';
import { headerValue, headerValues } from '../../api/headers.ts';
import type { SidecarConfig } from '../config.ts';
import { echo, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';

/** An app whose behaviour the test changes as it goes, and which keeps what it was asked. */
export class ScriptedApp {
  handler: RequestListener = echo;
  readonly seen: IncomingMessage[] = [];
  #waiting: ((request: IncomingMessage) => void)[] = [];

  readonly listener: RequestListener = (request, response) => {
    this.seen.push(request);
    for (const tell of this.#waiting.splice(0)) tell(request);
    this.handler(request, response);
  };

  /** The next request that comes from now on. */
  next(): Promise<IncomingMessage> {
    return new Promise((tell) => this.#waiting.push(tell));
  }

  /** Echo again, and nothing seen. */
  reset(): void {
    this.handler = echo;
    this.seen.length = 0;
  }
}

/** Two apps, each behind its sidecar. */
export interface Pair {
  readonly mesh: Mesh;
  readonly caller: MeshSidecar;
  readonly callee: MeshSidecar;
  /** The app that is called. */
  readonly app: ScriptedApp;
  /** The caller's own app, for calls to itself. */
  readonly ownApp: ScriptedApp;
  /** Of the caller's app API. */
  readonly port: number;
}

export interface PairConfig {
  readonly caller?: Partial<SidecarConfig>;
  readonly callee?: Partial<SidecarConfig>;
}

export async function startPair(config: PairConfig = {}): Promise<Pair> {
  const mesh = await startMesh();
  const app = new ScriptedApp();
  const ownApp = new ScriptedApp();
  const [caller, callee] = await Promise.all([
    mesh.start('caller', { handler: ownApp.listener, config: config.caller ?? {} }),
    mesh.start('callee', { handler: app.listener, config: config.callee ?? {} }),
  ]);
  return { mesh, caller, callee, app, ownApp, port: caller.sidecar.ports.http };
}

/**
 * A pair for the tests of a file, whose apps forget after each of them what they were told. `take` may add to its mesh.
 */
export function pairForAll(take: (pair: Pair) => void | Promise<void>): void {
  let pair: Pair | undefined;
  beforeAll(async () => {
    pair = await startPair();
    await take(pair);
  });
  afterEach(() => {
    pair?.app.reset();
    pair?.ownApp.reset();
  });
  afterAll(() => pair?.mesh.close());
}

/** The URL form of a call. */
export function to(app: string, path = '/'): string {
  return `/v1.0/invoke/${app}/method${path}`;
}

export interface Sent {
  readonly method?: string;
  readonly path: string;
  /** Name, value, name, value …, as they are to be written. */
  readonly headers?: readonly string[];
  /** A list of pieces is sent chunked. */
  readonly body?: string | Buffer | readonly Buffer[];
}

export interface Answered {
  readonly status: number;
  readonly headers: readonly string[];
  readonly trailers: readonly string[];
  readonly body: Buffer;
  /** False when the connection broke before the end of the answer. */
  readonly isWhole: boolean;
}

/** One request on a connection of its own. Rejects only when no answer came at all. */
export function send(port: number, { method = 'GET', path, headers = [], body }: Sent): Promise<Answered> {
  const pieces = body === undefined ? [] : Array.isArray(body) ? body : [Buffer.from(body as string | Buffer)];
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const length = ['content-length', String(bytes)];
  const framing = body === undefined ? [] : Array.isArray(body) ? ['transfer-encoding', 'chunked'] : length;
  return new Promise((answered, failed) => {
    const request = requestHttp({
      host: '127.0.0.1',
      port,
      method,
      path,
      headers: ['host', `127.0.0.1:${port}`, ...headers, ...framing],
      agent: false,
      maxHeaderSize: 128 * 1024,
    });
    request.on('error', failed);
    request.on('response', (response) => collect(response).then(answered, failed));
    for (const piece of pieces) request.write(piece);
    request.end();
  });
}

async function collect(response: IncomingMessage): Promise<Answered> {
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  response.on('error', () => undefined);
  await new Promise((closed) => response.once('close', closed));
  return {
    status: response.statusCode ?? 0,
    headers: response.rawHeaders,
    trailers: response.rawTrailers,
    body: Buffer.concat(chunks),
    isWhole: response.complete,
  };
}

export function headerOf(message: { readonly headers: readonly string[] }, name: string): string | undefined {
  return headerValue(message.headers, name);
}

/** All values of a header that the app was sent. */
export function gotValues(request: IncomingMessage | undefined, name: string): string[] {
  return headerValues(request?.rawHeaders ?? [], name);
}

/** Names that the app was sent, in lower case. */
export function gotNames(request: IncomingMessage | undefined): string[] {
  return (request?.rawHeaders ?? []).filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
}

/**
 * The answer is the sidecar's own: this fault, with its status and all that comes with it. Returns the message that
 * people read.
 */
export function expectFault(answer: Pick<Answered, 'status' | 'headers' | 'body'>, code: FaultCode): string {
  expect([headerOf(answer, 'invoke-fault'), answer.status]).toEqual([code, httpStatus(code)]);
  return expectFaultBody(answer, code);
}

/** As `expectFault`, whatever the status. */
export function expectFaultBody(answer: Pick<Answered, 'headers' | 'body'>, code: FaultCode): string {
  const retryAfter = retryAfterSec(code);
  expect(headerOf(answer, 'retry-after')).toBe(retryAfter === undefined ? undefined : String(retryAfter));
  expect(headerOf(answer, 'content-type')).toBe('application/json');
  const said: { errorCode: string; message: string; details: unknown } = JSON.parse(answer.body.toString());
  expect(said).toEqual({ errorCode: 'ERR_DIRECT_INVOKE', message: expect.any(String), details: { fault: code } });
  return said.message;
}

/** A TCP connection whose every byte is the test's own. */
export class RawClient {
  readonly socket: Socket;
  /** All that was received, once the other end is done with us. Never rejects. */
  readonly ended: Promise<string>;
  #received = '';
  #error: NodeJS.ErrnoException | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
    });
    socket.on('error', (error) => {
      this.#error = error;
    });
    this.ended = new Promise((done) => {
      socket.once('end', () => done(this.#received));
      socket.once('close', () => done(this.#received));
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** What has gone wrong with the connection, as far as this end can tell. */
  get error(): string | undefined {
    return this.#error?.code;
  }

  get received(): string {
    return this.#received;
  }

  write(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** What was received, as soon as it matches. Rejects when the connection ends first. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received)) {
      if (this.socket.readableEnded || this.socket.destroyed)
        throw new Error(`the connection ended before ${pattern}; received: ${JSON.stringify(this.#received)}`);
      await Promise.race([once(this.socket, 'data'), this.ended]);
    }
    return this.#received;
  }
}

/** Sends bytes as they are and reads until the other end closes. */
export async function exchangeRaw(port: number, text: string): Promise<string> {
  const client = await RawClient.connect(port);
  client.write(text);
  const received = await client.ended;
  client.socket.destroy();
  return received;
}

/** The last response in received bytes, if it came with a length: what `expectFault` looks at. */
export function parseRaw(received: string): Pick<Answered, 'status' | 'headers' | 'body'> {
  const [head = '', ...rest] = received.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(' ')[1]), headers, body: Buffer.from(rest.join('\r\n\r\n'), 'latin1') };
}
