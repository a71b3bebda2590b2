// The closed list of what can go wrong with a call, and the one place that says what each means on the wire.
//
// A fault is Invoke's own word about a call, never the app's: an app's 404 is the app's answer. Three columns decide:
// the HTTP status, the gRPC status, and whether the call may be sent again.

interface FaultRow {
  readonly http: number;
  readonly grpc: number;
  /**
   * Whether the call may be sent again, which is so only when the app cannot have seen it: `elsewhere`, to an endpoint
   * that has not been tried; `anywhere`, to the same one as well, because it was not the endpoint that refused.
   */
  readonly again: 'never' | 'elsewhere' | 'anywhere';
}

const FAULTS = {
  'bad-request': { http: 400, grpc: 3, again: 'never' },
  'no-target': { http: 404, grpc: 3, again: 'never' },
  'unknown-app': { http: 404, grpc: 5, again: 'never' },
  'token-invalid': { http: 401, grpc: 16, again: 'never' },
  denied: { http: 403, grpc: 7, again: 'never' },
  'origin-refused': { http: 403, grpc: 7, again: 'never' },
  'method-refused': { http: 405, grpc: 12, again: 'never' },
  'body-too-large': { http: 413, grpc: 8, again: 'never' },
  'headers-too-large': { http: 431, grpc: 8, again: 'never' },
  /** Nothing reached the app; but every instance has the same rule, and to ask them all would be to go round it. */
  'rate-limited': { http: 429, grpc: 8, again: 'never' },
  unimplemented: { http: 501, grpc: 12, again: 'never' },
  /** The chain of calls that led here is as long as one may be. */
  loop: { http: 508, grpc: 9, again: 'never' },
  internal: { http: 500, grpc: 13, again: 'never' },

  // 503: nothing reached the app.
  'not-ready': { http: 503, grpc: 14, again: 'elsewhere' },
  draining: { http: 503, grpc: 14, again: 'elsewhere' },
  /** A policy of the caller's stops calls to a target that fails. */
  'breaker-open': { http: 503, grpc: 14, again: 'never' },
  /** As many calls to the target as a policy of the caller's allows are under way from here, and as many wait. */
  'limit-reached': { http: 503, grpc: 14, again: 'never' },
  'no-endpoint': { http: 503, grpc: 14, again: 'never' },
  'peer-unreachable': { http: 503, grpc: 14, again: 'elsewhere' },
  'peer-untrusted': { http: 503, grpc: 14, again: 'elsewhere' },
  /** The connection was being closed as the call came; another connection to the same peer may take it. */
  'peer-closing': { http: 503, grpc: 14, again: 'anywhere' },
  /** An old Dapr sidecar that knows no streams: the same endpoint is asked again, in one message. */
  'peer-downgraded': { http: 503, grpc: 14, again: 'anywhere' },
  'app-unreachable': { http: 503, grpc: 14, again: 'elsewhere' },
  /** It does not pass its health check. */
  'app-unhealthy': { http: 503, grpc: 14, again: 'elsewhere' },
  /** It has all the calls that it takes at once, and the queue for the next turn is full. */
  'app-busy': { http: 503, grpc: 14, again: 'elsewhere' },
  /** The app was closing the connection as the call came; another connection to it may take it. */
  'app-closing': { http: 503, grpc: 14, again: 'anywhere' },

  /** Of what has no sidecar: its name leads nowhere, or nobody answers. Its other addresses have been tried. */
  'external-unreachable': { http: 503, grpc: 14, again: 'never' },
  /** Its certificate, or ours, was not taken. */
  'external-untrusted': { http: 503, grpc: 14, again: 'never' },
  /** It was closing the connection as the call came; another connection to it may take it. */
  'external-closing': { http: 503, grpc: 14, again: 'anywhere' },

  // 502: the app may have seen it, and it broke.
  'peer-broke': { http: 502, grpc: 14, again: 'never' },
  'app-broke': { http: 502, grpc: 13, again: 'never' },
  'external-broke': { http: 502, grpc: 14, again: 'never' },

  timeout: { http: 504, grpc: 4, again: 'never' },
  /** The caller went away; 499 is nginx's number for it and is seen in metrics only. */
  cancelled: { http: 499, grpc: 1, again: 'never' },
} as const satisfies Record<string, FaultRow>;

export type FaultCode = keyof typeof FAULTS;

export interface Fault {
  readonly code: FaultCode;
  /** For the caller: what happened, to what, why, and what to do next. No addresses, no stack. */
  readonly message: string;
  /** For the log alone: addresses and the platform's own words. */
  readonly cause?: string;
  /** Where that is known better than by the code. */
  readonly retryAfterSec?: number;
}

export function fault(code: FaultCode, message: string, cause?: string): Fault {
  return cause === undefined ? { code, message } : { code, message, cause };
}

export function isFaultCode(text: string): text is FaultCode {
  return Object.hasOwn(FAULTS, text);
}

export function httpStatus(code: FaultCode): number {
  return FAULTS[code].http;
}

export function grpcStatus(code: FaultCode): number {
  return FAULTS[code].grpc;
}

export function mayBeSentAgain(code: FaultCode): FaultRow['again'] {
  return FAULTS[code].again;
}

/** Every 503 says when to come back: all of them heal by themselves or by somebody's hand, within seconds. */
export function retryAfterSec(code: FaultCode): number | undefined {
  return FAULTS[code].http === 503 ? 1 : undefined;
}

/** The fault behind the status of a peer that names none: a Dapr sidecar. */
export function faultCodeOfGrpcStatus(status: number): FaultCode {
  return FAULT_OF_GRPC[status] ?? 'peer-broke';
}

const FAULT_OF_GRPC: Readonly<Record<number, FaultCode>> = {
  3: 'bad-request',
  4: 'timeout',
  5: 'unknown-app',
  7: 'denied',
  8: 'body-too-large',
  12: 'unimplemented',
  13: 'app-broke',
  16: 'denied',
};

/** Dapr answers 500 wherever it has no number of its own; `--statuses dapr` keeps that habit. */
export function daprHttpStatus(code: FaultCode): number {
  switch (code) {
    case 'no-target':
      return 404;
    case 'token-invalid':
      return 401;
    case 'denied':
    case 'origin-refused':
      return 403;
    // What its middleware for rate limits answers.
    case 'rate-limited':
      return 429;
    default:
      return 500;
  }
}

/** As `daprHttpStatus`, of a call by Dapr's own gRPC API: Dapr answers INTERNAL there, but for what gRPC itself finds out. */
export function daprGrpcStatus(code: FaultCode): number {
  switch (code) {
    case 'token-invalid':
    case 'origin-refused':
    case 'body-too-large':
    case 'rate-limited':
    case 'timeout':
    case 'cancelled':
      return grpcStatus(code);
    default:
      return grpcStatus('internal');
  }
}
