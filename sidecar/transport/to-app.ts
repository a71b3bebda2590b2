// Transport to the app, by what it speaks. An HTTP call to an app that speaks gRPC goes as AppCallback/OnInvoke; a gRPC call to an
// app that speaks HTTP is refused: what it would be over there, nobody has said.
import { isOverTls } from '../../api/app-protocol.ts';
import type { Call } from '../../api/call.ts';
import { type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { targetName } from '../../api/ids.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Ask } from '../app/ask.ts';
import type { AppAddress } from '../app/connect.ts';
import { AppHttp2Pool } from '../app/http2-pool.ts';
import { AppPool } from '../app/pool.ts';
import { askGrpc, askHttp1, askHttp2 } from '../app/probe.ts';
import { appTlsOptions } from '../app/tls.ts';
import { AppTunnels } from '../app/tunnels.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import type { AppConfig } from '../config.ts';
import type { Spoken } from '../link/dial.ts';
import { openApp } from './app.ts';
import { takesNoUpgrade } from './app-faults.ts';
import { openAppGrpc } from './app-grpc.ts';
import { openAppH2 } from './app-h2.ts';
import { appInvokeDeps, openAppInvoke } from './app-invoke.ts';
import { openAppTunnel } from './app-tunnel.ts';

export interface ToApp {
  open(call: PermittedCall, reply: ReplyEnd): RequestEnd;
  /** How it is asked for its health; `path` is of HTTP alone. Undefined for a program that only calls. */
  healthProbe(path: string): Ask | undefined;
  /** Breaks off everything. */
  close(): void;
}

/** `bodyBytesMax`: of what has to be whole before it goes on. */
export function toApp(app: AppConfig, bodyBytesMax: number, clock: Clock): ToApp {
  switch (app.protocol) {
    case 'grpc':
    case 'grpcs':
      return overGrpc(app, bodyBytesMax, clock);
    case 'h2c':
      return overHttp2(app, clock);
    default:
      return overHttp(app, clock);
  }
}

function overHttp(app: AppConfig, clock: Clock): ToApp {
  const address = addressOf(app, 'http/1.1');
  const pool = address && new AppPool(address, clock);
  const tunnels = address && new AppTunnels(address, clock);
  const deps = { clock, pool, tunnels, token: app.token };
  return {
    open(call, reply) {
      if (call.kind === 'http') return openApp(call, reply, deps);
      if (call.kind === 'tunnel') return openAppTunnel(call, reply, deps);
      return refuse(reply, speaksHttp(call));
    },
    healthProbe: (path) => address && askHttp1(address, clock, { path, token: app.token }),
    close() {
      pool?.destroy();
      tunnels?.destroy();
    },
  };
}

function overHttp2(app: AppConfig, clock: Clock): ToApp {
  const address = addressOf(app, 'h2');
  const pool = address && new AppHttp2Pool(address, clock);
  const deps = { clock, pool, token: app.token };
  return {
    open(call, reply) {
      if (call.kind === 'http') return openAppH2(call, reply, deps);
      return refuse(reply, call.kind === 'tunnel' ? takesNoUpgrade(call, 'HTTP/2') : speaksHttp(call));
    },
    healthProbe: (path) => pool && askHttp2(pool, { path, token: app.token }),
    close: () => pool?.destroy(),
  };
}

function overGrpc(app: AppConfig, bodyBytesMax: number, clock: Clock): ToApp {
  const address = addressOf(app, 'h2');
  const pool = address && new AppHttp2Pool(address, clock);
  const deps = { clock, pool, token: app.token };
  const openGrpc: ToApp['open'] = (call, reply) => openAppGrpc(call, reply, deps);
  const invoking = appInvokeDeps(openGrpc, bodyBytesMax);
  return {
    open(call, reply) {
      if (call.kind === 'grpc') return openGrpc(call, reply);
      if (call.kind === 'tunnel') return refuse(reply, takesNoUpgrade(call, 'gRPC'));
      return openAppInvoke(call, reply, invoking);
    },
    healthProbe: () => pool && askGrpc(pool, app.token),
    close: () => pool?.destroy(),
  };
}

/** Undefined for a program that only calls. */
function addressOf({ host, port, protocol = 'http', tls = {} }: AppConfig, spoken: Spoken): AppAddress | undefined {
  if (port === undefined) return undefined;
  return { host, port, tls: isOverTls(protocol) ? appTlsOptions(tls, host, spoken) : undefined };
}

function speaksHttp({ target }: Call): Fault {
  const message = `the app of ${targetName(target)} speaks HTTP, and was called over gRPC; call it over HTTP, or start its sidecar with --app-protocol grpc (over TLS grpcs) if it serves gRPC.`;
  return fault('unimplemented', message);
}
