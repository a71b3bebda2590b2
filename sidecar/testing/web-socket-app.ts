// For tests: an app that speaks WebSocket (RFC 6455), on the server of node:http, and as much of the protocol as an app needs.
import { createHash } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export type Message = string | Buffer;

/** The app's end of one WebSocket. */
export class AppSocket {
  readonly request: IncomingMessage;
  /** The bytes below it. */
  readonly stream: Duplex;
  /** When the stream is gone: the code with which the client closed, if it said one. */
  readonly closed: Promise<number | undefined>;
  onMessage: (message: Message) => void = (message) => void this.send(message);
  #held: Buffer[];
  #heldBytes: number;
  /** So much is needed for another frame, as far as is known. */
  #neededBytes = 2;
  #closedWith: number | undefined;
  #hasClosed = false;

  constructor(request: IncomingMessage, stream: Duplex, early: Buffer) {
    this.request = request;
    this.stream = stream;
    this.#held = [early];
    this.#heldBytes = early.length;
    stream.on('data', (chunk: Buffer) => {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes >= this.#neededBytes) this.#read();
    });
    stream.on('end', () => stream.end());
    stream.on('error', () => undefined);
    this.closed = new Promise((done) => stream.once('close', () => done(this.#closedWith)));
  }

  /** False: the far side reads more slowly than this. */
  send(message: Message): boolean {
    return this.#write(typeof message === 'string' ? TEXT : BINARY, Buffer.from(message));
  }

  ping(text: string): void {
    this.#write(PING, Buffer.from(text));
  }

  close(code: number, reason = ''): void {
    this.#hasClosed = true;
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(code);
    payload.write(reason, 2);
    this.#write(CLOSE, payload);
  }

  #write(opcode: number, payload: Buffer): boolean {
    const { length } = payload;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    this.stream.write(head);
    return this.stream.write(payload);
  }

  #read(): void {
    let bytes = Buffer.concat(this.#held);
    let frame = cutFrame(bytes);
    for (; typeof frame === 'object'; frame = cutFrame(bytes)) {
      bytes = frame.rest;
      this.#take(frame);
    }
    this.#held = [bytes];
    this.#heldBytes = bytes.length;
    this.#neededBytes = frame;
  }

  #take({ opcode, payload }: Frame): void {
    if (opcode === TEXT) this.onMessage(payload.toString());
    else if (opcode === BINARY) this.onMessage(payload);
    else if (opcode === PING) this.#write(PONG, payload);
    else if (opcode === CLOSE) {
      this.#closedWith = payload.length < 2 ? undefined : payload.readUInt16BE();
      if (!this.#hasClosed) this.close(this.#closedWith ?? 1000);
      this.stream.end();
    }
  }
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly rest: Buffer<ArrayBuffer>;
}

/** The first whole frame of a client, or how many bytes it takes. Theirs are masked, and our tests' send no message in several. */
function cutFrame(bytes: Buffer<ArrayBuffer>): Frame | number {
  if (bytes.length < 2) return 2;
  const short = bytes.readUInt8(1) & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + 4;
  if (bytes.length < start) return start;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + length) return start + length;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { opcode: bytes.readUInt8(0) & 0x0f, payload, rest: bytes.subarray(start + length) };
}

/** Echoes, unless the test says otherwise. */
export class WebSocketApp {
  /** What is done with a WebSocket as it opens. */
  onOpen: (socket: AppSocket) => void = () => undefined;
  /** In place of agreeing, with the bytes of the connection. */
  instead: ((request: IncomingMessage, stream: Duplex) => void) | undefined;
  readonly #streams = new Set<Duplex>();
  #waiting: ((socket: AppSocket) => void)[] = [];

  constructor(server: Server | TlsServer) {
    server.on('upgrade', (request: IncomingMessage, stream: Duplex, early: Buffer) => {
      this.#streams.add(stream);
      stream.once('close', () => this.#streams.delete(stream));
      stream.on('error', () => undefined);
      if (this.instead !== undefined) this.instead(request, stream);
      else this.#agree(request, stream, early);
    });
  }

  /** The next WebSocket that opens from now on. */
  next(): Promise<AppSocket> {
    return new Promise((tell) => this.#waiting.push(tell));
  }

  /** Connections that are open below WebSockets. */
  get openStreams(): number {
    return this.#streams.size;
  }

  /** Ends all that is open, and echoes again. */
  reset(): void {
    for (const stream of this.#streams) stream.destroy();
    this.onOpen = () => undefined;
    this.instead = undefined;
  }

  #agree(request: IncomingMessage, stream: Duplex, early: Buffer): void {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key'] ?? ''}${GUID}`)
      .digest('base64');
    const protocol = request.headers['sec-websocket-protocol']?.split(',')[0]?.trim();
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    lines.push(`Sec-WebSocket-Accept: ${accept}`, 'X-From-App: yes');
    if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
    stream.write(`${lines.join('\r\n')}\r\n\r\n`);
    const socket = new AppSocket(request, stream, early);
    this.onOpen(socket);
    for (const tell of this.#waiting.splice(0)) tell(socket);
  }
}
