// What is asked about a call, so that it can be judged. A `Call` is one.
import type { Call } from '../../api/call.ts';

export interface AccessCall extends Pick<Call, 'caller' | 'method' | 'path'> {
  /** A tunnel (a WebSocket) is judged as the GET that opens it. */
  readonly kind: Call['kind'] | 'tunnel';
}

/** The method that rules about HTTP see. */
export function judgedMethod({ kind, method }: AccessCall): string {
  return kind === 'tunnel' ? 'GET' : method;
}

/** As people write a call: a method of HTTP, GRPC or WEBSOCKET. */
export function methodWord({ kind, method }: Pick<AccessCall, 'kind' | 'method'>): string {
  if (kind === 'http') return method;
  return kind === 'grpc' ? 'GRPC' : 'WEBSOCKET';
}
