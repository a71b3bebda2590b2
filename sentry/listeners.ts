// Where connections come in: a Unix socket that only its owner reaches, TCP with TLS, and a plain port for health.
import { chmod, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Credentials } from '../identity/svid.ts';
import { listenOnTls as listenWithTls, type TlsListener } from '../identity/tls-listener.ts';
import { codeOf, messageOf } from '../kit/errors.ts';
import { type ListenAddress, type Listener, listen } from '../kit/listen.ts';
import { type LockTools, withLock } from '../kit/lock.ts';
import { listenForPages } from '../kit/page-server.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { ensureFolder } from './authority/files.ts';

export type ListenFailure = { readonly kind: 'already-served' } | { readonly kind: 'failed'; readonly message: string };

/** A sentry's clients ask and hang up. As many, each with all that it may hold (server.ts), fit the memory of a replica. */
const CONNECTIONS_MAX = 512;
/** The pods of a node may share one address; whoever takes all that an address may have still leaves room for others. */
const CONNECTIONS_PER_ADDRESS_MAX = 128;

/** A socket file that nobody answers on is a leftover and is replaced, under a lock; one that is served is left alone. */
export async function listenOnSocket(
  path: string,
  tools: LockTools,
  accept: (connection: Duplex) => void,
): Promise<Result<Listener, ListenFailure>> {
  const folder = await ensureFolder(dirname(path), 'closed');
  if (!folder.ok) return failed(folder.error);
  try {
    const bound = await withLock(`${path}.lock`, tools, () => replaceAndBind(path, accept));
    if (bound.ok) return bound;
    return typeof bound.error === 'string' ? failed(bound.error) : err(bound.error);
  } catch (error) {
    return failed(`${path} cannot be listened on: ${messageOf(error)}`);
  }
}

async function replaceAndBind(
  path: string,
  accept: (connection: Duplex) => void,
): Promise<Result<Listener, ListenFailure>> {
  if (await isServed(path)) return err({ kind: 'already-served' });
  const leftover = await stat(path).catch((error) => (codeOf(error) === 'ENOENT' ? undefined : Promise.reject(error)));
  if (leftover && !leftover.isSocket()) return failed(`${path} is a file of another kind; choose another path`);
  await rm(path, { force: true });
  const server = net.createServer(accept);
  const bound = await listen(server, { path }, { connectionsMax: CONNECTIONS_MAX });
  if (!bound.ok) return failed(bound.error);
  await chmod(path, 0o600);
  return ok(bound.value);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const probe = net.connect(path);
    probe.once('connect', () => settle(true)).once('error', () => settle(false));
    probe.once('connect', () => probe.destroy());
  });
}

/** Anybody may connect: what a client can prove is in its request, so no certificate of its own is asked for. */
export async function listenOnTls(
  where: ListenAddress,
  credentials: Credentials,
  accept: (connection: TLSSocket) => void,
): Promise<Result<TlsListener, ListenFailure>> {
  const limits = { connectionsMax: CONNECTIONS_MAX, connectionsPerAddressMax: CONNECTIONS_PER_ADDRESS_MAX };
  const options = { clientCertificate: 'not-asked', ...limits } as const;
  const bound = await listenWithTls(where, credentials, options, accept);
  return bound.ok ? bound : failed(bound.error);
}

/** Answers 200 as long as the process serves. */
export async function listenForHealth({ host, port }: ListenAddress): Promise<Result<Listener, ListenFailure>> {
  const bound = await listenForPages(port, { '/healthz': () => ({ status: 200 }) }, host);
  return bound.ok ? bound : failed(bound.error);
}

function failed(message: string): Result<never, ListenFailure> {
  return err({ kind: 'failed', message });
}
