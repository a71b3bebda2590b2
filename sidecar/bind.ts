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
  /** What the port is for, and the setting that moves it. */
  readonly what: string;
  readonly setting: string;
  readonly choice: PortChoice;
  readonly addresses: readonly string[];
  /** A server for one address. */
  readonly server: () => Server;
}

/** A flexible port that is taken is replaced by a free one, a few times over: the free one may go while it is bound. */
const FREE_PORT_TRIES = 5;

/** One port on all addresses. An address that this machine does not have (IPv6 switched off) is left out. */
export async function bind(request: BindRequest): Promise<Result<Bound, StartFailure>> {
  const { choice, what, setting } = request;
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
    message: `port ${choice.port}, meant for ${what}, is taken; stop the program that has it, or choose another with ${setting}`,
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
    let listening = await listen(server, { port, host: address, ipv6Only });
    // Where IPv6 is switched off, every address means every IPv4 address.
    if (!listening.ok && isMissing(listening.error) && address === '::' && !ipv6Only)
      listening = await listen(server, { port, host: '0.0.0.0' });
    if (listening.ok) {
      servers.push(server);
      port = listening.value;
    } else if (isMissing(listening.error)) {
      missing = listening.error;
    } else {
      for (const open of servers) open.close();
      return listening;
    }
  }
  if (servers.length === 0) return err(missing ?? new Error('no address to listen on was given'));
  return ok({ port, servers });
}

function isMissing({ code }: BindError): boolean {
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
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
