// For tests: a mesh in one process. Real sidecars on real sockets with real certificates; only the names are a map.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fault } from '../../api/fault.ts';
import { type Identity, parseAppId, parseNamespace, parseTrustDomain, targetName } from '../../api/ids.ts';
import { type ThrowawayCa, throwawayCa } from '../../identity/testing.ts';
import { signedBy, startFakeSentry } from '../../identity/testing-sentry.ts';
import { type Clock, systemClock } from '../../kit/clock.ts';
import { type Log, silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { portOf } from '../../kit/testing/ports.ts';
import type { SidecarConfig } from '../config.ts';
import type { LookUp } from '../external/connect.ts';
import type { FeedClient } from '../feed/feed.ts';
import type { Endpoint, Names } from '../resolve/resolver.ts';
import { type Sidecar, startSidecar } from '../sidecar.ts';

export const TRUST_DOMAIN = must(parseTrustDomain('test.local'));

export function identityOf(app: string, namespace = 'default'): Identity {
  return { trustDomain: TRUST_DOMAIN, namespace: must(parseNamespace(namespace)), app: must(parseAppId(app)) };
}

export interface MeshApp {
  /** What the app does with a request; an app that only calls has none. */
  readonly handler?: RequestListener;
  readonly namespace?: string;
  readonly config?: Partial<SidecarConfig>;
  /** Another authority than the mesh's own. */
  readonly ca?: ThrowawayCa;
  /** Another clock than the real one. */
  readonly clock?: Clock;
  readonly log?: Log;
  /** Finds others by these instead of the map of the mesh. */
  readonly names?: Names;
  /** Names outside of the mesh; the platform's by default. */
  readonly lookUp?: LookUp;
  /** In place of an operator's; there is none by default. */
  readonly feed?: FeedClient;
}

export interface MeshSidecar {
  readonly sidecar: Sidecar;
  readonly identity: Identity;
  /** Of the app API, without a slash at the end. */
  readonly url: string;
  /** The app's own server, if it has one. */
  readonly app: Server | undefined;
  stop(): Promise<0 | 1>;
}

export interface Mesh {
  readonly ca: ThrowawayCa;
  start(app: string, options?: MeshApp): Promise<MeshSidecar>;
  /** Makes a name lead to an address of the test's choice. */
  point(app: string, endpoints: readonly Endpoint[]): void;
  close(): Promise<void>;
}

export async function startMesh(): Promise<Mesh> {
  const folder = mkdtempSync(join(tmpdir(), 'invoke-mesh-'));
  const ca = throwawayCa();
  const table = new Map<string, Endpoint[]>();
  const closers: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true })];
  let number = 0;

  return {
    ca,
    async start(appName, options = {}) {
      const identity = identityOf(appName, options.namespace);
      const socketPath = join(folder, `sentry-${number++}.sock`);
      const sentry = await startFakeSentry({ at: socketPath, answer: signedBy(options.ca ?? ca) });
      const app = options.handler === undefined ? undefined : await listening(options.handler);
      const own = tableNames(table);
      const { feed, names = own } = options;
      const config = configOf(identity, socketPath, app, options.config);
      const sidecar = must(
        await startSidecar(config, {
          clock: options.clock ?? systemClock,
          random: () => 0.5,
          log: options.log ?? silentLog,
          names: { ...names, announce: own.announce },
          ...(feed === undefined ? {} : { openFeed: () => feed }),
          ...(options.lookUp === undefined ? {} : { lookUp: options.lookUp }),
          version: 'test',
        }),
      );
      await own.announcedReady;
      const stop = async () => {
        sidecar.stop();
        const code = await sidecar.done;
        app?.closeAllConnections();
        app?.close();
        await sentry.close();
        return code;
      };
      let stopped: Promise<0 | 1> | undefined;
      const once = () => {
        stopped ??= stop();
        return stopped;
      };
      closers.unshift(once);
      return { sidecar, identity, url: `http://127.0.0.1:${sidecar.ports.http}`, app, stop: once };
    },
    point(app, endpoints) {
      table.set(targetName(identityOf(app)), [...endpoints]);
    },
    async close() {
      for (const close of closers) await close();
    },
  };
}

function configOf(
  { app: appId, namespace, trustDomain }: Identity,
  socketPath: string,
  app: Server | undefined,
  overrides: Partial<SidecarConfig> = {},
): SidecarConfig {
  const anyPort = { port: 0, isFlexible: false };
  return {
    appId,
    namespace,
    trustDomain,
    app: {
      port: app === undefined ? undefined : portOf(app),
      host: '127.0.0.1',
      token: undefined,
    },
    sentry: { kind: 'socket', path: socketPath },
    httpPort: anyPort,
    grpcPort: anyPort,
    peerPort: anyPort,
    publicPort: undefined,
    metricsPort: anyPort,
    listenAddresses: ['127.0.0.1'],
    peerListenAddress: '127.0.0.1',
    bodyBytesMax: 4 * 1024 * 1024,
    gracefulShutdownMs: 5000,
    apiToken: undefined,
    allowedOrigins: [],
    allowedHosts: [],
    statuses: 'honest',
    ...overrides,
  };
}

/** Names in a map that all sidecars of the mesh share. */
function tableNames(table: Map<string, Endpoint[]>): Names & { readonly announcedReady: Promise<void> } {
  const ready = Promise.withResolvers<void>();
  return {
    announcedReady: ready.promise,
    resolve(target) {
      const name = targetName(target);
      if (!table.has(name)) return { kind: 'absent', fault: fault('unknown-app', `nobody knows ${name}`) };
      return { kind: 'found', upstream: { target, endpoints: () => table.get(name) ?? [] } };
    },
    announce({ identity, peer }) {
      const name = targetName(identity);
      return {
        setReady(isReady) {
          const others = (table.get(name) ?? []).filter((endpoint) => endpoint.port !== peer.port);
          table.set(name, isReady ? [...others, peer] : others);
          if (isReady) ready.resolve();
        },
        withdraw: () =>
          void table.set(
            name,
            (table.get(name) ?? []).filter((endpoint) => endpoint.port !== peer.port),
          ),
      };
    },
    close: () => undefined,
  };
}

export async function listening(handler: RequestListener): Promise<Server> {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** An app that answers with what it got: verb, URL and headers as JSON headers of the answer, the body as its body. */
export function echo(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': request.headers['content-type'] ?? 'application/octet-stream',
    'x-method': request.method ?? '',
    'x-url': request.url ?? '',
    'x-raw-headers': Buffer.from(JSON.stringify(request.rawHeaders)).toString('base64'),
  });
  request.pipe(response);
}
