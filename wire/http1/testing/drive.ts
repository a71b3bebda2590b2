// For tests: a connection is given bytes directly, without a turn of the loop between them, and everything is noted down.
import type { ByteLink, ByteLinkEvents } from '../../byte-link.ts';
import type {
  Fields,
  Flow,
  Requester,
  RequestHead,
  RequestReceiver,
  Responder,
  ResponseHead,
  ResponseReceiver,
  WireFailure,
} from '../../message.ts';
import { type Http1ClientConnection, http1Client } from '../client.ts';
import type { Http1Limits } from '../limits.ts';
import { http1Server } from '../server.ts';
import type { Http1ServerConnection } from '../server-options.ts';

/** The connection's end of a link whose other end is the test. */
export class HandLink implements ByteLink {
  readonly #written: Buffer[] = [];
  writes = 0;
  isEnded = false;
  isDestroyed = false;
  isPaused = false;
  /** What `write` answers. */
  hasRoom = true;
  events: ByteLinkEvents | undefined;

  get written(): string {
    return Buffer.concat(this.#written).toString('latin1');
  }

  give(...pieces: readonly (string | Buffer)[]): void {
    for (const piece of pieces) this.events?.data(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  }

  write(bytes: Buffer): boolean {
    this.writes++;
    this.#written.push(bytes);
    return this.hasRoom;
  }

  end(): void {
    this.isEnded = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  listen(events: ByteLinkEvents): void {
    this.events = events;
  }
}

/** A message as it was pushed. */
export class Received {
  readonly #body: Buffer[] = [];
  trailers: Fields | undefined;
  /** Of these each message has at most one. */
  readonly outcomes: string[] = [];
  resumes = 0;
  flow: Flow = 'ok';

  get body(): string {
    return Buffer.concat(this.#body).toString('latin1');
  }

  get pushes(): number {
    return this.#body.length;
  }

  data(chunk: Buffer): Flow {
    this.#body.push(chunk);
    return this.flow;
  }

  end(trailers: Fields): void {
    this.trailers = trailers;
    this.outcomes.push('end');
  }

  abort({ kind }: WireFailure): void {
    this.outcomes.push(`abort ${kind}`);
  }

  cancel({ kind }: WireFailure): void {
    this.outcomes.push(`cancel ${kind}`);
  }

  resume(): void {
    this.resumes++;
  }
}

export class ReceivedRequest extends Received implements RequestReceiver {
  readonly head: RequestHead;
  readonly responder: Responder;

  constructor(head: RequestHead, responder: Responder) {
    super();
    this.head = head;
    this.responder = responder;
  }

  answer(body = 'ok', status = 200): void {
    const bytes = Buffer.from(body, 'latin1');
    this.responder.head({ status, fields: [], bodyBytes: bytes.length });
    this.responder.data(bytes);
    this.responder.end([]);
  }
}

export class ReceivedResponse extends Received implements ResponseReceiver {
  readonly informationals: number[] = [];
  response: ResponseHead | undefined;

  informational(status: number): void {
    this.informationals.push(status);
  }

  head(head: ResponseHead): void {
    this.response = head;
  }
}

export interface DrivenServer {
  readonly link: HandLink;
  readonly connection: Http1ServerConnection;
  readonly requests: readonly ReceivedRequest[];
  readonly offences: readonly WireFailure[];
  readonly closes: () => number;
  readonly clock: { elapsedMs: number };
}

export interface DriveOptions {
  readonly limits?: Partial<Http1Limits>;
  readonly unreadMs?: number;
  /** What happens to each request as it comes; nothing by default. */
  readonly onHead?: (request: ReceivedRequest) => void;
  readonly onEnd?: (request: ReceivedRequest) => void;
}

export function driveServer({ limits = {}, unreadMs, onHead, onEnd }: DriveOptions = {}): DrivenServer {
  const link = new HandLink();
  const requests: ReceivedRequest[] = [];
  const offences: WireFailure[] = [];
  const clock = { elapsedMs: 0 };
  let closes = 0;
  const serve = (head: RequestHead, responder: Responder) => {
    const request = new ReceivedRequest(head, responder);
    requests.push(request);
    const end = request.end.bind(request);
    request.end = (trailers) => {
      end(trailers);
      onEnd?.(request);
    };
    onHead?.(request);
    return request;
  };
  const connection = http1Server(link, serve, {
    elapsedMs: () => clock.elapsedMs,
    limits,
    ...(unreadMs === undefined ? {} : { unreadMs }),
    offence: (failure) => offences.push(failure),
    closed: () => closes++,
  });
  return { link, connection, requests, offences, closes: () => closes, clock };
}

/** A server that answers each request as soon as it has ended. */
export function driveEcho(limits: Partial<Http1Limits> = {}): DrivenServer {
  return driveServer({ limits, onEnd: (request) => request.answer(request.body) });
}

export interface DrivenClient {
  readonly link: HandLink;
  readonly connection: Http1ClientConnection;
  readonly offences: readonly WireFailure[];
  readonly closes: () => number;
  readonly idles: () => number;
  send(head?: Partial<RequestHead>): { readonly requester: Requester; readonly answer: ReceivedResponse };
}

export function driveClient(limits: Partial<Http1Limits> = {}): DrivenClient {
  const link = new HandLink();
  const offences: WireFailure[] = [];
  let closes = 0;
  let idles = 0;
  const connection = http1Client(link, {
    elapsedMs: () => 0,
    limits,
    offence: (failure) => offences.push(failure),
    idle: () => idles++,
    closed: () => closes++,
  });
  return {
    link,
    connection,
    offences,
    closes: () => closes,
    idles: () => idles,
    send(head) {
      const answer = new ReceivedResponse();
      return { answer, requester: connection.request(requestHead(head), answer) };
    },
  };
}

export function requestHead(head: Partial<RequestHead> = {}): RequestHead {
  return {
    ...{ method: 'GET', target: '/', authority: 'app', scheme: undefined, fields: [], bodyBytes: 0 },
    ...{ upgrade: undefined, expectsContinue: false },
    ...head,
  };
}

/** What was gathered in this turn has been written when this resolves. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
