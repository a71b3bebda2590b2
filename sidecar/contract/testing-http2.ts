// For tests of the HTTP contract: a caller that speaks HTTP/2 to the app API, by prior knowledge.
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import type { Answered, Sent } from './testing.ts';

export class Http2Caller {
  readonly session: ClientHttp2Session;
  readonly #port: number;

  constructor(session: ClientHttp2Session, port: number) {
    this.session = session;
    this.#port = port;
  }

  static async connect(port: number): Promise<Http2Caller> {
    // More than the sidecar takes: what it says to that is what is tested.
    const session = connect(`http://127.0.0.1:${port}`, { maxSendHeaderBlockLength: 256 * 1024 });
    session.on('error', () => undefined);
    await once(session, 'remoteSettings');
    return new Http2Caller(session, port);
  }

  /** The head alone; the body is the test's to write. */
  open({ method = 'GET', path, headers = [] }: Omit<Sent, 'body'>): ClientHttp2Stream {
    const own = { ':method': method, ':path': path, ':authority': `127.0.0.1:${this.#port}` };
    const stream = this.session.request({ ...own, ...grouped(headers) }, { endStream: false });
    stream.on('error', () => undefined);
    return stream;
  }

  /** Rejects only when no answer came at all. */
  send(sent: Sent): Promise<Answered> {
    const { body } = sent;
    const pieces = body === undefined ? [] : Array.isArray(body) ? body : [Buffer.from(body as string | Buffer)];
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const length = body === undefined || Array.isArray(body) ? [] : ['content-length', String(bytes)];
    const stream = this.open({ ...sent, headers: [...(sent.headers ?? []), ...length] });
    const answered = answerOf(stream);
    for (const piece of pieces) stream.write(piece);
    stream.end();
    return answered;
  }

  async close(): Promise<void> {
    if (this.session.destroyed) return;
    const closed = once(this.session, 'close');
    this.session.destroy();
    await closed;
  }
}

/** As `send` of testing.ts, on a connection of its own. */
export async function sendHttp2(port: number, sent: Sent): Promise<Answered> {
  const caller = await Http2Caller.connect(port);
  try {
    return await caller.send(sent);
  } finally {
    await caller.close();
  }
}

/** The whole answer, however it ends. */
export async function answerOf(stream: ClientHttp2Stream): Promise<Answered> {
  const chunks: Buffer[] = [];
  let headers: readonly string[] | undefined;
  let trailers: readonly string[] = [];
  let isEnded = false;
  stream.on('response', (_head, _flags, raw?: readonly string[]) => {
    headers = raw ?? [];
  });
  stream.on('trailers', (_trailers, _flags, raw?: readonly string[]) => {
    trailers = raw ?? [];
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    isEnded = true;
  });
  await new Promise((closed) => stream.once('close', closed));
  if (headers === undefined) throw new Error(`the stream was reset with ${stream.rstCode}, and there was no answer`);
  const status = Number(headers[headers.indexOf(':status') + 1]);
  return {
    status,
    headers: withoutPseudo(headers),
    trailers,
    body: Buffer.concat(chunks),
    isWhole: isEnded && stream.rstCode === 0,
  };
}

/** What is received from now on, as soon as it matches. */
export function received(stream: ClientHttp2Stream, pattern: RegExp): Promise<string> {
  return new Promise((found, failed) => {
    let text = '';
    const read = () => {
      for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) text += chunk.toString('latin1');
      if (!pattern.test(text)) return;
      stop();
      found(text);
    };
    const closed = () => {
      stop();
      failed(new Error(`the stream ended before ${pattern}; received: ${JSON.stringify(text)}`));
    };
    const stop = () => void stream.off('readable', read).off('close', closed);
    stream.on('readable', read).on('close', closed);
    read();
  });
}

function withoutPseudo(raw: readonly string[]): string[] {
  return raw.filter((_, i) => raw[i - (i % 2)]?.startsWith(':') !== true);
}

function grouped(headers: readonly string[]): OutgoingHttpHeaders {
  const grouped = new Map<string, string[]>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    grouped.set(name, [...(grouped.get(name) ?? []), headers[i + 1] ?? '']);
  }
  return Object.fromEntries(
    [...grouped].map(([name, [first, ...more]]) => [name, more.length === 0 ? first : [first ?? '', ...more]]),
  );
}
