// Binding ports: on every address asked for, and with words for the person whose port is taken.
import type { AddressInfo, ListenOptions, Server } from 'node:net';
import { err, ok, type Result } from '../kit/result.ts';
import type { PortChoice } from './config.ts';

export type StartFailure = { readonly kind: 'port-taken' | 'failed'; readonly message: string };

export interface Bound {
  readonly port: number;
  readonly servers: readonly Server[];
}

export interface BindRequest {
  /** What the port is for, and the flag that moves it. */
  readonly what: string;
  readonly flag: string;
  readonly choice: PortChoice;
  readonly addresses: readonly string[];
  /** A server for one address. */
  readonly server: () => Server;
}

/** A flexible port that is taken is replaced by a free one, a few times over: the free one may go while it is bound. */
const FREE_PORT_TRIES = 5;

/** One port on all addresses. An address that this machine does not have (IPv6 switched off) is left out. */
export async function bind(request: BindRequest): Promise<Result<Bound, StartFailure>> {
  const { choice, what, flag } = request;
  const candidates = choice.isFlexible ? [choice.port, ...Array<number>(FREE_PORT_TRIES).fill(0)] : [choice.port];
  for (const candidate of candidates) {
    const bound = await bindAll(candidate, request);
    if (bound.ok) return bound;
    if (bound.error.code !== 'EADDRINUSE') {
      const reason = bound.error.code === 'EACCES' ? 'this user may not listen there' : bound.error.message;
      return err({ kind: 'failed', message: `cannot listen on port ${candidate} for ${what}: ${reason}` });
    }
  }
  return err({
    kind: 'port-taken',
    message: `port ${choice.port}, meant for ${what}, is taken; stop the program that has it, or choose another with ${flag}`,
  });
}

type BindError = Error & { readonly code?: string };

async function bindAll(candidate: number, request: BindRequest): Promise<Result<Bound, BindError>> {
  const servers: Server[] = [];
  let port = candidate;
  let missing: BindError | undefined;
  // Alone, `::` takes the IPv4 addresses too; beside one of them it would find its port taken.
  const ipv6Only = request.addresses.length > 1;
  for (const address of request.addresses) {
    const server = request.server();
    const listening = await listen(server, { port, host: address, ipv6Only });
    if (listening.ok) {
      servers.push(server);
      port = listening.value;
    } else if (listening.error.code === 'EADDRNOTAVAIL' || listening.error.code === 'EAFNOSUPPORT') {
      missing = listening.error;
    } else {
      for (const open of servers) open.close();
      return listening;
    }
  }
  if (servers.length === 0) return err(missing ?? new Error('no address to listen on was given'));
  return ok({ port, servers });
}

function listen(server: Server, where: ListenOptions): Promise<Result<number, BindError>> {
  return new Promise((settle) => {
    const failed = (error: BindError) => settle(err(error));
    server.once('error', failed);
    server.listen(where, () => {
      server.removeListener('error', failed);
      settle(ok(portOf(server.address())));
    });
  });
}

function portOf(address: AddressInfo | string | null): number {
  return address !== null && typeof address === 'object' ? address.port : 0;
}
