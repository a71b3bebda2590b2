// Transport to the app, by what it speaks. A call of the other kind is refused: what it would be over there, nobody has said.
import type { Call } from '../../api/call.ts';
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { targetName } from '../../api/ids.ts';
import type { Clock } from '../../kit/clock.ts';
import { H2cPool } from '../app/h2c-pool.ts';
import { AppPool } from '../app/pool.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import type { AppConfig } from '../config.ts';
import { openApp } from './app.ts';
import { openAppGrpc } from './app-grpc.ts';

export interface ToApp {
  open(call: PermittedCall, reply: ReplyEnd): RequestEnd;
  /** Breaks off everything. */
  close(): void;
}

export function toApp(app: AppConfig, clock: Clock): ToApp {
  return app.protocol === 'grpc' ? overGrpc(app, clock) : overHttp(app, clock);
}

function overHttp({ host, port, token }: AppConfig, clock: Clock): ToApp {
  const pool = port === undefined ? undefined : new AppPool({ host, port }, clock);
  const deps = { clock, pool, token };
  return {
    open: (call, reply) => (call.kind === 'http' ? openApp(call, reply, deps) : refuse(reply, speaksHttp(call))),
    close: () => pool?.destroy(),
  };
}

function overGrpc({ host, port, token }: AppConfig, clock: Clock): ToApp {
  const pool = port === undefined ? undefined : new H2cPool({ host, port }, clock);
  const deps = { clock, pool, token };
  return {
    open: (call, reply) => (call.kind === 'grpc' ? openAppGrpc(call, reply, deps) : refuse(reply, speaksGrpc(call))),
    close: () => pool?.destroy(),
  };
}

function speaksHttp({ target }: Call): Fault {
  const message = `the app of ${targetName(target)} speaks HTTP, and was called over gRPC; call it over HTTP, or start its sidecar with --app-protocol grpc if it serves gRPC.`;
  return fault('unimplemented', message);
}

function speaksGrpc({ target }: Call): Fault {
  const message = `the app of ${targetName(target)} speaks gRPC, and was called over HTTP; call a method of its services through the gRPC port of your own sidecar.`;
  return fault('unimplemented', message);
}
