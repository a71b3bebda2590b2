// For tests: what node:http, with its strict parser, makes of the same bytes.
import { createServer, type IncomingMessage, request as requestHttp } from 'node:http';
import { Duplex } from 'node:stream';

export interface OracleRequest {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}

export interface OracleResponse extends Omit<OracleRequest, 'method' | 'target'> {
  readonly status: number;
}

/** The far side is the test: what it says is pushed, what it is told is thrown away. */
class Connection extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, written: () => void): void {
    written();
  }
}

/** The requests that came to their end, in order. */
export async function nodeReadsRequests(bytes: Buffer): Promise<readonly OracleRequest[]> {
  const read: OracleRequest[] = [];
  const server = createServer({ maxHeaderSize: 64 * 1024, keepAlive: true });
  server.maxHeadersCount = 0;
  const take = (request: IncomingMessage, answer: () => void) => {
    collect(request, (body) => {
      const { method = '', url = '' } = request;
      read.push({ method, target: url, ...said(request), body });
      answer();
    });
  };
  server.on('request', (request, response) => take(request, () => response.end()));
  server.on('checkExpectation', (request, response) => take(request, () => response.end()));
  server.on('clientError', () => undefined);
  const connection = new Connection();
  connection.on('error', () => undefined);
  server.emit('connection', connection);
  connection.push(bytes);
  await quiet(() => read.length);
  connection.destroy();
  server.close();
  return read;
}

/** The answer, if it came to its end; the connection ends behind the bytes. */
export async function nodeReadsResponse(bytes: Buffer, method: string): Promise<OracleResponse | undefined> {
  let answer: OracleResponse | undefined;
  const connection = new Connection();
  connection.on('error', () => undefined);
  const request = requestHttp({ createConnection: () => connection, method, maxHeaderSize: 64 * 1024 });
  request.maxHeadersCount = 0;
  request.on('error', () => undefined);
  request.on('response', (response) => {
    collect(response, (body) => {
      if (response.complete) answer = { status: response.statusCode ?? 0, ...said(response), body };
    });
  });
  request.on('upgrade', (_response, socket) => socket.destroy());
  request.end();
  await quiet(() => 0);
  connection.push(bytes);
  await quiet(() => 0);
  connection.push(null);
  await quiet(() => (answer === undefined ? 0 : 1));
  connection.destroy();
  return answer;
}

function said(message: IncomingMessage) {
  const { rawHeaders, rawTrailers, httpVersionMinor } = message;
  return { minorVersion: httpVersionMinor, fields: lowered(rawHeaders), trailers: lowered(rawTrailers) };
}

function lowered(raw: readonly string[]): readonly string[] {
  return raw.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
}

function collect(message: IncomingMessage, ended: (body: string) => void): void {
  const chunks: Buffer[] = [];
  message.on('data', (chunk: Buffer) => chunks.push(chunk));
  message.on('error', () => undefined);
  message.on('end', () => ended(Buffer.concat(chunks).toString('latin1')));
}

/** When three turns of the loop have brought nothing new: all happens in memory, so nothing can be on its way. */
async function quiet(progress: () => number): Promise<void> {
  let before = -1;
  let turns = 0;
  while (turns < 3) {
    turns = progress() === before ? turns + 1 : 0;
    before = progress();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
