// One call, as every stage sees it: read once at an edge, never changed after.
import type { ExternalTarget } from './external.ts';
import type { Headers } from './headers.ts';
import type { Identity, Target } from './ids.ts';
import type { CanonicalPath } from './path.ts';

export type Call = PlainCall | TunnelCall;

export interface PlainCall extends CallParts {
  /**
   * `http`: a request and an answer, whose bodies are bytes. `grpc`: a native gRPC call, whose bodies are length-prefixed
   * messages that nobody here decodes; its path is `/package.Service/Method`, and its status comes in the trailers.
   */
  readonly kind: 'http' | 'grpc';
}

/** An HTTP request that asks to go on in another protocol (Upgrade): once the app has said 101, bytes both ways (E6). */
export interface TunnelCall extends CallParts {
  readonly kind: 'tunnel';
  /** The one token of the Upgrade, such as `websocket` (upgrade.ts). */
  readonly protocol: string;
}

interface CallParts {
  /** Whom it is for. */
  readonly target: Target;
  /** Who calls: this sidecar's own identity on the way out, the peer certificate's on the way in. */
  readonly caller: Identity;
  /** The HTTP verb, in upper case. */
  readonly method: string;
  readonly path: CanonicalPath;
  /** The query, byte for byte, without its question mark. */
  readonly query: string;
  /** End-to-end headers alone: no hop-by-hop header, no content-length, no identity header. */
  readonly headers: Headers;
  /** Names of those that no hop may keep in a table of HTTP/2's compression (RFC 7541, 7.1.3). */
  readonly neverIndexed?: ReadonlySet<string>;
  /** What the body is, where a caller by gRPC said it as a type URL (google.protobuf.Any); for apps that speak gRPC alone. */
  readonly dataTypeUrl?: string;
  /** How long the request body is; undefined where nobody said (a chunked upload). */
  readonly bodyBytes: number | undefined;
  /** How many sidecars of callers it has passed in a chain of calls, this one's among them (hops.ts). */
  readonly hops: number;
  /** The moment, on the monotonic clock, by which the caller wants the answer. */
  readonly deadlineMs: number | undefined;
}

/** A call to what has no sidecar. Nobody there is told who calls. */
export interface ExternalCall extends Omit<CallParts, 'target'> {
  readonly kind: 'external';
  /** Made as a native gRPC call (`grpc` of a PlainCall), and going on as one; else as an HTTP call. */
  readonly isGrpc: boolean;
  readonly target: ExternalTarget;
}

/** Whatever may go the way out. */
export type OutboundCall = Call | ExternalCall;

/** Whether it is a native gRPC call, whose answer has a status in its trailers. */
export function isGrpcCall(call: OutboundCall): boolean {
  return call.kind === 'grpc' || (call.kind === 'external' && call.isGrpc);
}
