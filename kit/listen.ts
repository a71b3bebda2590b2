// A server that is bound, and can be closed with everything that is open on it.
import type { AddressInfo, ListenOptions, Server, Socket } from 'node:net';
import { messageOf } from './errors.ts';
import { err, ok, type Result } from './result.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
}

export interface Listener {
  /** With the port that was bound. Undefined for a Unix socket. */
  readonly address: ListenAddress | undefined;
  /** Accepts no more, and breaks what is open. */
  close(): Promise<void>;
}

/** Connections beyond these are closed as they come. */
export interface ListenLimits {
  readonly connectionsMax: number;
  /** Of one remote address, for a server that one client could keep from all others. */
  readonly connectionsPerAddressMax?: number;
}

/** Takes a server that does not listen yet. */
export async function listen(server: Server, where: ListenOptions, limits: ListenLimits): Promise<Result<Listener>> {
  const { connectionsMax, connectionsPerAddressMax } = limits;
  const sockets = new Set<Socket>();
  /** How many each address has: counting them anew for each that comes would be work for a stranger to cause. */
  const counts = new Map<string, number>();
  server.maxConnections = connectionsMax;
  server.on('connection', (socket: Socket) => {
    const from = socket.remoteAddress ?? '';
    const count = counts.get(from) ?? 0;
    if (connectionsPerAddressMax !== undefined && count >= connectionsPerAddressMax) return socket.destroy();
    sockets.add(socket);
    counts.set(from, count + 1);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      const left = (counts.get(from) ?? 1) - 1;
      if (left === 0) counts.delete(from);
      else counts.set(from, left);
    });
  });
  try {
    await new Promise<void>((done, fail) => server.once('error', fail).listen(where, done));
  } catch (error) {
    return err(`cannot listen on ${where.path ?? `${where.host ?? '*'}:${where.port}`}: ${messageOf(error)}`);
  }
  return ok({
    address: addressOf(server.address()),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  });
}

function addressOf(address: AddressInfo | string | null): ListenAddress | undefined {
  return address === null || typeof address === 'string' ? undefined : { host: address.address, port: address.port };
}
