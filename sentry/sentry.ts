// The certificate authority as a whole: opens its state, then its doors, and closes in the opposite order.
import { spiffeId } from '../api/ids.ts';
import { CONTROL_PLANE_NAMESPACE, sentryIdentity } from '../identity/svid.ts';
import type { ListenAddress } from '../kit/listen.ts';
import type { LockTools } from '../kit/lock.ts';
import type { Log } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { Origin, Validators } from './attest/attest.ts';
import { insecureValidator } from './attest/insecure.ts';
import { checkKeys, jwksValidator } from './attest/jwks.ts';
import { type Authority, anchorsPath, openAuthority } from './authority/authority.ts';
import { type Ca, createCa } from './ca.ts';
import { configMistakes, isLoopback, type SentryConfig } from './config.ts';
import { type ListenFailure, listenForHealth, listenOnSocket, listenOnTls } from './listeners.ts';
import { keepOwnCertificate } from './own-certificate.ts';
import { createGrpcServer, type GrpcServer } from './server.ts';

export interface Sentry {
  /** As bound, so port 0 has become a real one. */
  readonly listening: { readonly tls: ListenAddress | undefined; readonly health: ListenAddress | undefined };
  /** PEM, for clients that come over TLS; `trust-anchors.crt` in the state directory. */
  readonly trustAnchorsFile: string;
  /** Breaks connections off and frees every address. Idempotent. */
  stop(): Promise<void>;
}

export type StartFailure =
  /** Another signer serves the socket, for the same user: it can be used as well as this one could. */
  | { readonly kind: 'already-served'; readonly message: string }
  | { readonly kind: 'config' | 'state' | 'listen'; readonly message: string };

export interface SentryTools extends LockTools {
  readonly log: Log;
}

export async function startSentry(config: SentryConfig, tools: SentryTools): Promise<Result<Sentry, StartFailure>> {
  const mistakes = configMistakes(config);
  if (mistakes.length > 0) return err({ kind: 'config', message: mistakes.join('; ') });
  const { jwks } = config.validators;
  const keys = jwks === undefined ? ok(undefined) : await checkKeys(jwks);
  if (!keys.ok) return err({ kind: 'config', message: keys.error });
  const opened = await openAuthority({ directory: config.stateDirectory, trustDomain: config.trustDomain, ...tools });
  if (!opened.ok) return err({ kind: 'state', message: opened.error });

  const { workloadCertTtlMs } = config;
  const ca = createCa({
    authority: opened.value,
    controlPlaneNamespace: CONTROL_PLANE_NAMESPACE,
    validators: chooseValidators(config, tools),
    workloadCertTtlMs,
    clock: tools.clock,
    audit: tools.log,
    log: tools.log,
  });
  const house = buildHouse(config, tools, opened.value, ca);
  const addresses = await openDoors(house);
  if (!addresses.ok) {
    await house.close();
    return addresses;
  }
  return ok({
    listening: addresses.value,
    trustAnchorsFile: anchorsPath(config.stateDirectory),
    stop: () => house.close(),
  });
}

/** What the doors have in common. */
interface House {
  readonly config: SentryConfig;
  readonly tools: SentryTools;
  readonly authority: Authority;
  readonly servers: Readonly<Record<Origin, GrpcServer>>;
  onClose(closer: () => void | Promise<void>): void;
  /** Runs what was registered, last first; each once. */
  close(): Promise<void>;
}

function buildHouse(config: SentryConfig, tools: SentryTools, authority: Authority, ca: Ca): House {
  const servers = {
    socket: createGrpcServer(ca, 'socket'),
    loopback: createGrpcServer(ca, 'loopback'),
    network: createGrpcServer(ca, 'network'),
  };
  const closers: (() => void | Promise<void>)[] = Object.values(servers).map((server) => () => server.stop());
  return {
    config,
    tools,
    authority,
    servers,
    onClose: (closer) => closers.push(closer),
    async close() {
      for (let close = closers.pop(); close; close = closers.pop()) await close();
    },
  };
}

async function openDoors(house: House): Promise<Result<Sentry['listening'], StartFailure>> {
  const socket = await openSocket(house);
  if (!socket.ok) return socket;
  const tls = await openTls(house);
  if (!tls.ok) return tls;
  const health = await openHealth(house);
  return health.ok ? ok({ tls: tls.value, health: health.value }) : health;
}

type Opened = Result<ListenAddress | undefined, StartFailure>;

async function openSocket({ config: { socketPath }, servers, tools, onClose }: House): Promise<Opened> {
  if (socketPath === undefined) return ok(undefined);
  const bound = await listenOnSocket(socketPath, tools, (connection) => servers.socket.accept(connection));
  if (!bound.ok) return explain(bound.error, socketPath);
  onClose(() => bound.value.close());
  tools.log.info('signing on a socket', { socketPath });
  return ok(undefined);
}

async function openTls({ config, servers, tools, authority, onClose }: House): Promise<Opened> {
  const { listen, workloadCertTtlMs } = config;
  if (!listen) return ok(undefined);
  const identity = sentryIdentity(authority.trustDomain);
  const { source, first } = await keepOwnCertificate(authority, identity, workloadCertTtlMs, tools);
  onClose(() => source.stop());
  const bound = await listenOnTls(listen, first, (connection) =>
    servers[isLoopback(connection.remoteAddress ?? '') ? 'loopback' : 'network'].accept(connection),
  );
  if (!bound.ok) return explain(bound.error, `${listen.host}:${listen.port}`);
  onClose(() => bound.value.close());
  source.credentials.changed((renewed) => renewed && bound.value.renew(renewed));
  tools.log.info('signing over TLS', { host: listen.host, port: bound.value.address?.port });
  return ok(bound.value.address);
}

async function openHealth({ config: { health }, onClose }: House): Promise<Opened> {
  if (!health) return ok(undefined);
  const bound = await listenForHealth(health);
  if (!bound.ok) return explain(bound.error, `${health.host}:${health.port}`);
  onClose(() => bound.value.close());
  return ok(bound.value.address);
}

function chooseValidators(config: SentryConfig, { clock, log }: SentryTools): Validators {
  const { insecure, jwks } = config.validators;
  const audience = spiffeId(sentryIdentity(config.trustDomain));
  return {
    ...(insecure ? { insecure: insecureValidator } : {}),
    ...(jwks ? { jwks: jwksValidator(jwks, audience, clock, log) } : {}),
  };
}

function explain(failure: ListenFailure, where: string): Result<never, StartFailure> {
  if (failure.kind === 'failed') return err({ kind: 'listen', message: failure.message });
  const message = `a signer already serves ${where}; use that one, or stop it first`;
  return err({ kind: 'already-served', message });
}
