// What our sidecars need of a control plane: a sentry that signs, and a feed that says where the app is. Both speak the real
// protocols over real sockets; neither has a part in a call.
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Identity, TrustDomain } from '../../api/ids.ts';
import { parseAppId } from '../../api/ids.ts';
import { OPERATOR } from '../../api/pod.ts';
import {
  decodeFeedRequest,
  encodeFeedMessage,
  type FeedApp,
  type FeedPart,
  type FeedResource,
} from '../../api/proto/feed.ts';
import { sentryIdentity } from '../../identity/svid.ts';
import { type ThrowawayCa, throwawayCa } from '../../identity/testing.ts';
import { signedBy, startFakeSentry } from '../../identity/testing-sentry.ts';
import { serverContext } from '../../identity/tls.ts';
import { must } from '../../kit/result.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frame.ts';

export interface ControlPlane {
  readonly sentryPort: number;
  readonly feedPort: number;
  /** PEM. */
  readonly anchors: string;
  /** Where the feed says that an app is from now on. */
  place(appId: string, port: number): void;
  /** What it tells every sidecar that asks from now on. */
  arm(resources: readonly FeedResource[]): void;
  close(): Promise<void>;
}

const REQUEST_BYTES_MAX = 64 * 1024;
const CERTIFICATE_MS = 24 * 3_600_000;

export async function startControlPlane(trustDomain: TrustDomain): Promise<ControlPlane> {
  const ca = throwawayCa();
  const notAfter = Date.now() + CERTIFICATE_MS;
  const sentryItself = sentryIdentity(trustDomain);
  const answer = signedBy(ca, { notAfter });
  const sentry = await startFakeSentry({ at: ca.issue(sentryItself, { notAfter }), answer });
  const told: Told = { places: new Map(), resources: [] };
  const operator: Identity = { ...sentryItself, app: must(parseAppId(OPERATOR)) };
  const feed = await startFeed(ca, operator, notAfter, told);
  return {
    sentryPort: sentry.port,
    feedPort: feed.port,
    anchors: ca.anchors.join('\n'),
    place: (appId, port) => void told.places.set(appId, port),
    arm: (resources) => {
      told.resources = resources;
    },
    async close() {
      await feed.close();
      await sentry.close();
    },
  };
}

interface Told {
  readonly places: Map<string, number>;
  resources: readonly FeedResource[];
}

async function startFeed(ca: ThrowawayCa, operator: Identity, notAfter: number, told: Told) {
  const server = createSecureServer(serverContext(ca.issue(operator, { notAfter })));
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream) => serve(stream, ca, told));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: portOf(server),
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** One subscriber: its config at once, and the endpoints of whatever it asks for. */
function serve(stream: ServerHttp2Stream, ca: ThrowawayCa, { places, resources }: Told): void {
  const reader = new FrameReader(REQUEST_BYTES_MAX);
  const say = (part: FeedPart) => void stream.write(frameMessage(encodeFeedMessage({ epoch: 1, part })));
  stream.on('error', () => undefined);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
  const trustAnchors = Buffer.from(ca.anchors.join('\n'));
  const open = { barredNamespaces: [], defaultAccess: 'allow' } as const;
  say({ kind: 'config', config: { versions: [], trustAnchors, resources, ...open } });
  stream.on('data', (chunk: Buffer) => {
    for (const message of must(reader.push(chunk))) {
      for (const app of must(decodeFeedRequest(message)).interest ?? []) say(endpointsOf(app, places.get(app.appId)));
    }
  });
}

function endpointsOf(app: FeedApp, port: number | undefined): FeedPart {
  const pod = { address: '127.0.0.1', zone: '', pod: `${app.appId}-0`, labels: new Map<string, string>() };
  const state = { ready: true, serving: true, terminating: false };
  const endpoints = port === undefined ? [] : [{ ...pod, ...state, port }];
  return { kind: 'endpoints', endpoints: { app, isClaimed: port !== undefined, endpoints, version: 1 } };
}
