// What a call and a tunnel of a peer have in common as they come in: a stream of messages that begins with a head, for which there
// is so much time, and a bound for what is held of messages that are not whole. What the messages say is read by the subclasses.
import type { Call } from '../../api/call.ts';
import type { Flow, Open, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Identity, Target } from '../../api/ids.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { HeldBytes } from '../../kit/held-bytes.ts';
import type { Result } from '../../kit/result.ts';
import type { TurnTask } from '../../kit/turn.ts';
import type { RequestReceiver } from '../../wire/message.ts';
import type { MessageReader } from '../link/messages.ts';
import type { AnsweredRequest } from './peer-reply-stream.ts';

export interface PeerRequestDeps {
  readonly open: Open;
  readonly self: Target;
  /** Proven by the connection's certificate. */
  readonly caller: Identity;
  readonly clock: Clock;
  /** Of unfinished messages; shared by all calls on a connection. */
  readonly held: HeldBytes;
}

/** As long as an app may take for the head of its request. */
const HEAD_TIMEOUT_MS = 10_000;

type State =
  | { readonly kind: 'awaiting-head'; readonly cancelTimeout: Cancel | undefined }
  | { readonly kind: 'open'; readonly request: RequestEnd }
  | { readonly kind: 'ended' };

const AWAITING_HEAD: State = { kind: 'awaiting-head', cancelTimeout: undefined };
const ENDED: State = { kind: 'ended' };

/** Its messages are an `M` each. */
export abstract class PeerRequest<M, Deps extends PeerRequestDeps>
  implements RequestReceiver, AnsweredRequest, TurnTask
{
  protected readonly deps: Deps;
  protected readonly grpcTimeout: string | undefined;
  protected readonly reader: MessageReader<M>;
  protected abstract readonly reply: ReplyEnd;
  protected state: State = AWAITING_HEAD;
  #heldBytes = 0;

  constructor(grpcTimeout: string | undefined, reader: MessageReader<M>, deps: Deps) {
    this.grpcTimeout = grpcTimeout;
    this.reader = reader;
    this.deps = deps;
  }

  protected abstract take(message: M): Flow;
  abstract end(): void;

  /** A head nearly always comes with its stream; a timer is for the peer that holds it back. */
  turnOver(): void {
    if (this.state !== AWAITING_HEAD) return;
    const cancelTimeout = this.deps.clock.after(HEAD_TIMEOUT_MS, () => this.refuse(NO_HEAD));
    this.state = { kind: 'awaiting-head', cancelTimeout };
  }

  data(chunk: Buffer): Flow {
    if (this.state.kind === 'ended') return 'ok';
    const messages = this.reader.push(chunk);
    let flow: Flow = 'ok';
    if (!messages.ok) this.refuse(messages.error);
    else if (!this.#hold()) this.refuse(TOO_MUCH_HELD);
    else for (const message of messages.value) if (this.take(message) === 'pause') flow = 'pause';
    return flow;
  }

  /** Half a body must not pass for a whole one. */
  abort(): void {
    this.cancel();
  }

  resume(): void {
    if (this.state.kind === 'open') this.state.request.resume();
  }

  cancel(): void {
    const { state } = this;
    this.ended();
    if (state.kind === 'open') state.request.cancel(fault('cancelled', 'the caller went away.'));
  }

  /** Ends both sides from here: the way is told, and the peer. */
  refuse(reason: Fault): void {
    if (this.state.kind === 'open') this.state.request.abort(reason);
    this.reply.abort(reason);
  }

  /** Nothing more is passed on. Said by the reply, too, when it is over. */
  ended(): void {
    const { state } = this;
    if (state.kind === 'ended') return;
    if (state.kind === 'awaiting-head') state.cancelTimeout?.();
    this.state = ENDED;
    this.deps.held.give(this.#heldBytes);
    // Its stream may live on for as long as the peer leaves the reply unread.
    this.reader.drop();
  }

  /** `call`: what the head has said. */
  protected begin(call: Result<Call, Fault>): void {
    if (!call.ok) {
      this.refuse(call.error);
      return;
    }
    const request = this.deps.open(call.value, this.reply);
    // It may have been refused before it was open (E4).
    if (this.state.kind !== 'awaiting-head') return;
    this.state.cancelTimeout?.();
    this.state = { kind: 'open', request };
  }

  /** Counts what now waits for the rest of its message in place of what did before. False where there is no room. */
  #hold(): boolean {
    const more = this.reader.heldBytes - this.#heldBytes;
    if (!this.deps.held.take(more)) return false;
    this.#heldBytes += more;
    return true;
  }
}

const NO_HEAD = fault('timeout', `the peer did not say within ${HEAD_TIMEOUT_MS / 1000} s what it calls.`);
export const HALF_A_CALL = fault(
  'bad-request',
  'the peer ended its stream in the middle of a message, or before it said what it calls.',
);
const TOO_MUCH_HELD = fault('body-too-large', 'the peer has begun more messages on this connection than it finishes.');
