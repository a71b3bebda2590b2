// A native gRPC call from a peer. Who calls, its certificate has proven; nothing that its metadata says of that is believed.
import type { Open } from '../../api/exchange.ts';
import type { Identity, Target } from '../../api/ids.ts';
import type { Clock } from '../../kit/clock.ts';
import type { RequestHead, RequestReceiver, Responder } from '../../wire/message.ts';
import { refuseGrpc, serveGrpc } from '../link/grpc-serving.ts';
import { grpcCall, readGrpcHead } from './grpc-head.ts';

export interface PeerGrpcDeps {
  readonly open: Open;
  readonly self: Target;
  readonly caller: Identity;
  readonly clock: Clock;
  readonly bodyBytesMax: number;
}

export function servePeerGrpc(head: RequestHead, responder: Responder, deps: PeerGrpcDeps): RequestReceiver {
  const read = readGrpcHead(head, deps.clock);
  if (!read.ok) return refuseGrpc(responder, read.error);
  return serveGrpc(grpcCall(read.value, deps.caller, deps.self), responder, deps);
}
