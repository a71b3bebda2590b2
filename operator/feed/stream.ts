// One stream of one sidecar, from its hello to its end.
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { type Identity, parseAppId, parseNamespace, type Target } from '../../api/ids.ts';
import { decodeFeedRequest, FEED_INTEREST_MAX, type FeedApp, type FeedHello } from '../../api/proto/feed.ts';
import type { AuditDenials } from '../../api/proto/feed-audits.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type Allowance, WANTED_MAX } from './allowance.ts';
import type { CatchUp } from './catch-up.ts';
import type { Hub, Subscription } from './hub.ts';

export interface StreamDeps {
  readonly hub: Pick<Hub, 'subscribe' | 'trustAnchors'>;
  readonly catchUp: CatchUp;
  /** Of the sidecar's namespace. */
  readonly allowance: Allowance;
  readonly clock: Clock;
  readonly log: Log;
  /** What the sidecar tells of policies in audit mode. */
  readonly heard: (reports: readonly AuditDenials[]) => void;
  /** After each message; how large it was. */
  readonly sent: (byteCount: number) => void;
}

/** Why a stream ends, in the words of gRPC. */
export interface Ending {
  readonly code: status;
  readonly details: string;
}

export interface FeedStream {
  end(ending: Ending): void;
}

/** Messages as bytes, both ways. */
export type FeedCall = ServerDuplexStream<Buffer, Buffer>;

type Phase =
  | { readonly kind: 'greeting'; readonly cancel: Cancel }
  | { readonly kind: 'catching-up' }
  | { readonly kind: 'live'; readonly subscription: Subscription }
  | { readonly kind: 'over' };

/** A sidecar says its hello at once. */
const HELLO_MS = 10_000;

export function serveStream(call: FeedCall, self: Identity, deps: StreamDeps): FeedStream {
  const { allowance } = deps;
  let wanted: readonly Target[] = [];
  const reading = readInTurn(call, deps);
  let phase: Phase = {
    kind: 'greeting',
    cancel: deps.clock.after(HELLO_MS, () => end({ code: status.DEADLINE_EXCEEDED, details: 'no hello came' })),
  };

  function leave(): void {
    if (phase.kind === 'greeting') phase.cancel();
    if (phase.kind === 'live') phase.subscription.end();
    phase = { kind: 'over' };
    reading.stop();
    allowance.want(wanted.length, 0);
    wanted = [];
  }

  function end(ending: Ending): void {
    if (phase.kind === 'over') return;
    leave();
    deps.log.debug(`feed: a stream ends: ${ending.details}`);
    endCall(call, ending);
  }

  function receive(bytes: Buffer): void {
    if (phase.kind === 'over') return;
    const request = readWithin(allowance, bytes, phase.kind === 'greeting', wanted.length);
    if (!request.ok) {
      end(request.error);
      return;
    }
    const { hello, targets, audits } = request.value;
    wanted = targets ?? wanted;
    reading.next();
    if (phase.kind === 'live' && targets !== undefined) phase.subscription.want(wanted);
    if (phase.kind === 'live' && audits.length > 0) deps.heard(audits);
    if (phase.kind === 'greeting' && hello !== undefined) greet(hello, phase.cancel);
  }

  function greet(hello: FeedHello, cancel: Cancel): void {
    cancel();
    phase = { kind: 'catching-up' };
    deps.log.debug('feed: a sidecar subscribes', { version: hello.sidecarVersion, epoch: hello.epoch });
    void deps.catchUp(hello).then((caughtUp) => {
      if (phase.kind === 'over') return;
      if (!caughtUp.ok) end(unavailable(caughtUp.error));
      else if (deps.hub.trustAnchors() === undefined) end(unavailable('no trust anchors are published yet'));
      else goLive();
    });
  }

  function goLive(): void {
    const subscription = deps.hub.subscribe(self, (message, written) => {
      deps.sent(message.length);
      call.write(message, written);
    });
    phase = { kind: 'live', subscription };
    subscription.want(wanted);
  }

  call.on('data', receive);
  reading.next();
  call.on('end', () => end({ code: status.OK, details: 'the sidecar is done' }));
  call.on('cancelled', leave);
  call.on('close', leave);
  return { end };
}

/** Unread, what a sidecar says waits at its own end until its namespace may be heard again. */
function readInTurn(call: FeedCall, { allowance, clock }: StreamDeps): { next(): void; stop(): void } {
  let cancelWait: Cancel = () => undefined;
  function next(): void {
    const waitMs = allowance.waitMs();
    if (waitMs === 0) {
      call.resume();
      return;
    }
    call.pause();
    cancelWait = clock.after(waitMs, next);
  }
  return { next, stop: () => cancelWait() };
}

/** An error is how the library is told of a status. */
export function endCall(call: FeedCall, { code, details }: Ending): void {
  call.emit('error', Object.assign(new Error(details), { code, details }));
}

interface ReadRequest {
  readonly hello: FeedHello | undefined;
  readonly targets: readonly Target[] | undefined;
  readonly audits: readonly AuditDenials[];
}

/** As far as its namespace may ask for more, where `before` apps are wanted on this stream already. */
function readWithin(
  allowance: Allowance,
  bytes: Buffer,
  isFirst: boolean,
  before: number,
): Result<ReadRequest, Ending> {
  const request = readRequest(bytes, isFirst);
  const named = request.ok ? request.value.targets?.length : undefined;
  allowance.charge(named ?? 0, bytes.length);
  if (!request.ok || named === undefined || allowance.want(before, named)) return request;
  return err(
    exhausted(`sidecars of this namespace want ${WANTED_MAX} apps of this replica already; want less, or wait`),
  );
}

/** The first message has a hello, and no other has. */
function readRequest(bytes: Buffer, isFirst: boolean): Result<ReadRequest, Ending> {
  const request = decodeFeedRequest(bytes);
  if (!request.ok) return err(invalid(`the message cannot be read: ${request.error}`));
  const { hello, interest, audits = [] } = request.value;
  if ((hello !== undefined) !== isFirst) return err(invalid('a hello has to come in the first message, and once'));
  const targets = interest === undefined ? ok(undefined) : readInterest(interest);
  return targets.ok ? ok({ hello, targets: targets.value, audits }) : targets;
}

function readInterest(apps: readonly FeedApp[]): Result<readonly Target[], Ending> {
  if (apps.length > FEED_INTEREST_MAX) {
    return err(exhausted(`endpoints of too many apps are wanted: ${FEED_INTEREST_MAX} is the most`));
  }
  const targets: Target[] = [];
  for (const { appId, namespace } of apps) {
    const [app, place] = [parseAppId(appId), parseNamespace(namespace)];
    if (!app.ok) return err(invalid(app.error));
    if (!place.ok) return err(invalid(place.error));
    targets.push({ app: app.value, namespace: place.value });
  }
  return ok(targets);
}

function invalid(details: string): Ending {
  return { code: status.INVALID_ARGUMENT, details };
}

function exhausted(details: string): Ending {
  return { code: status.RESOURCE_EXHAUSTED, details };
}

function unavailable(details: string): Ending {
  return { code: status.UNAVAILABLE, details };
}
