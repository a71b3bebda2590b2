// The answer to one attempt at a peer, a call or a tunnel: gRPC's head, and messages. What they say, and what the end comes to, is
// read by the subclasses.
import type { Flow, ReplyEnd } from '../../api/exchange.ts';
import { type Headers, NO_HEADERS } from '../../api/headers.ts';
import type { ResponseHead, ResponseReceiver, WireFailure } from '../../wire/message.ts';
import type { MessageReader } from '../link/messages.ts';

/** The attempt, told how its answer went; each of these but `mayGoOn` ends it. */
export interface Answered {
  /** Whether anything is still to be told. */
  readonly isOpen: boolean;
  mayGoOn(): void;
  broke(cause: string): void;
  lost(failure: WireFailure): void;
}

/** Its messages are an `M` each. */
export abstract class MessageAnswer<M, Attempt extends Answered> implements ResponseReceiver {
  protected readonly attempt: Attempt;
  protected readonly reply: ReplyEnd;
  protected readonly reader: MessageReader<M>;
  /** Of an answer that is nothing but a status. */
  protected headFields: Headers = NO_HEADERS;

  constructor(attempt: Attempt, reply: ReplyEnd, reader: MessageReader<M>) {
    this.attempt = attempt;
    this.reply = reply;
    this.reader = reader;
  }

  protected abstract take(message: M): Flow;
  abstract end(trailers: Headers): void;

  informational(): void {}

  head({ status, fields }: ResponseHead): void {
    if (status === 200) this.headFields = fields;
    else this.attempt.broke(`HTTP status ${status}`);
  }

  data(chunk: Buffer): Flow {
    const messages = this.reader.push(chunk);
    if (!messages.ok) {
      this.attempt.broke(messages.error.message);
      return 'ok';
    }
    let flow: Flow = 'ok';
    for (const message of messages.value) if (this.take(message) === 'pause') flow = 'pause';
    return flow;
  }

  abort(failure: WireFailure): void {
    this.attempt.lost(failure);
  }

  resume(): void {
    this.attempt.mayGoOn();
  }

  cancel(failure: WireFailure): void {
    this.attempt.lost(failure);
  }
}

export const CUT_SHORT = 'the answer ends before its head, or in the middle of a message';
