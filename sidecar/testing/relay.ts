// For tests: a port of 127.0.0.1 that leads to another, and lets a test stand between the two.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import tls from 'node:tls';
import type { Credentials } from '../../identity/svid.ts';
import { portOf } from '../../kit/testing/ports.ts';

export interface Relay {
  readonly port: number;
  /** Both ends of each connection that is there. */
  readonly sockets: ReadonlySet<Socket>;
  /** Ends what is there, and waits until it has. */
  close(): Promise<void>;
}

/** Takes a connection, which is handed to it with the one that it leads to; by default their bytes just go through. */
export type Join = (near: Socket, far: Socket) => void;

export async function relay(dial: () => Socket, join: Join = passOn): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = dial();
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    }
    join(near, far);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: portOf(server),
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Either way, with the ends; what breaks on one side breaks on the other. */
export const passOn: Join = (near, far) => {
  near.pipe(far);
  far.pipe(near);
  near.once('close', () => far.destroy());
  far.once('close', () => near.destroy());
};

/** Leads to a TCP port. */
export const dialPlain = (port: number) => () => connect({ port, host: '127.0.0.1', allowHalfOpen: true });

/** Leads to a sidecar's peer port, as a peer that has these. */
export function dialPeer(port: number, { svid }: Credentials): () => Socket {
  return () =>
    tls.connect({
      ...{ host: '127.0.0.1', port, ALPNProtocols: ['h2'], rejectUnauthorized: false },
      ...{ cert: svid.chainPem, key: svid.keyPem },
    });
}
