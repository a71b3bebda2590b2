// One call on the app API: reads the request into a Call, and pumps its body into the way out.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Call } from '../../api/call.ts';
import { closedRequest, type Open, type RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { contentLength, endToEnd, headerValue } from '../../api/headers.ts';
import type { Identity } from '../../api/ids.ts';
import { parseTimeout } from '../../api/timeout.ts';
import { traced } from '../../api/trace.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { HttpReply, type RequestSteering } from './http-reply.ts';
import { readInvocation } from './invocation.ts';
import type { StatusStyle } from './refuse.ts';

export interface HttpCallDeps {
  readonly open: Open;
  readonly self: Identity;
  readonly bodyBytesMax: number;
  readonly statuses: StatusStyle;
  readonly clock: Clock;
  readonly random: Random;
}

/** Told when the rest of a request turns out not to be HTTP. */
export type OnBroken = (reason: Fault) => void;

/** `expectsContinue`: the client waits for a 100 before it sends its body. */
export function serveCall(
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
  deps: HttpCallDeps,
): OnBroken {
  const pump = new BodyPump(request, deps.bodyBytesMax);
  const call = readCall(request, deps);
  const traceparent = call.ok ? headerValue(call.value.headers, 'traceparent') : undefined;
  const reply = new HttpReply(request, response, traceparent, pump, deps);
  if (!call.ok) {
    reply.refuse(call.error);
    return () => undefined;
  }
  const open = deps.open(call.value, reply);
  response.once('close', () => {
    if (!response.writableFinished) open.cancel(fault('cancelled', 'the caller went away.'));
  });
  response.on('drain', () => open.resume());
  const giveUp = (reason: Fault) => {
    open.abort(reason);
    reply.abort(reason);
  };
  if (response.headersSent) return giveUp;
  if (expectsContinue) response.writeContinue();
  pump.start(open, giveUp);
  return giveUp;
}

function readCall(request: IncomingMessage, deps: HttpCallDeps): Result<Call, Fault> {
  const { rawHeaders, method = 'GET', url = '/' } = request;
  const invocation = readInvocation(url, rawHeaders, deps.self.namespace);
  if (!invocation.ok) return invocation;
  const bodyBytes = declaredBodyBytes(request);
  if (bodyBytes !== undefined && bodyBytes > deps.bodyBytesMax) return err(tooLarge(deps.bodyBytesMax));
  const timeout = headerValue(rawHeaders, 'invoke-timeout');
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeoutMs !== undefined && !timeoutMs.ok) return err(fault('bad-request', `invoke-timeout: ${timeoutMs.error}.`));
  return ok({
    kind: 'http',
    target: invocation.value.target,
    caller: deps.self,
    method,
    path: invocation.value.path,
    query: invocation.value.query,
    headers: traced(endToEnd(rawHeaders), deps.random),
    bodyBytes,
    deadlineMs: timeoutMs === undefined ? undefined : deps.clock.elapsed() + timeoutMs.value,
  });
}

/** 0 where there is no body, undefined where its length is not known. The parser has refused what is ambiguous. */
function declaredBodyBytes({ rawHeaders }: IncomingMessage): number | undefined {
  if (headerValue(rawHeaders, 'transfer-encoding') !== undefined) return undefined;
  return contentLength(rawHeaders) ?? 0;
}

function tooLarge(bodyBytesMax: number): Fault {
  return fault(
    'body-too-large',
    `the body is larger than ${bodyBytesMax} bytes, which is all this sidecar takes; raise --max-body-size if it should pass.`,
  );
}

/** Pushes the request's body into a call, up to the limit, until the call wants no more of it. */
class BodyPump implements RequestSteering {
  readonly #request: IncomingMessage;
  readonly #bodyBytesMax: number;
  #sink: RequestEnd = closedRequest;
  #bytes = 0;
  #isDiscarding = false;

  constructor(request: IncomingMessage, bodyBytesMax: number) {
    this.#request = request;
    this.#bodyBytesMax = bodyBytesMax;
  }

  start(sink: RequestEnd, giveUp: (reason: Fault) => void): void {
    this.#sink = sink;
    this.#request.on('data', (chunk: Buffer) => {
      if (this.#isDiscarding) return;
      this.#bytes += chunk.length;
      if (this.#bytes > this.#bodyBytesMax) {
        this.discard();
        giveUp(tooLarge(this.#bodyBytesMax));
      } else if (this.#sink.data(chunk) === 'pause') {
        this.#request.pause();
      }
    });
    this.#request.on('end', () => this.#sink.end(endToEnd(this.#request.rawTrailers)));
    // Its own 'close' and 'error' say nothing that the response's 'close' does not say too.
    this.#request.on('error', () => undefined);
  }

  resume(): void {
    this.#request.resume();
  }

  discard(): void {
    this.#isDiscarding = true;
    this.#sink = closedRequest;
    this.#request.resume();
  }
}
