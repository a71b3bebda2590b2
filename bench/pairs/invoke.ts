// Our own pair: two sidecars as the image has them, with certificates from a sentry, the app's place from a feed, metrics and
// trace context on. Where there are many apps, the caller's alone is the image's (house.ts).
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAppId, parseNamespace, parseTrustDomain } from '../../api/ids.ts';
import { printPodSidecar, SIDECAR_VARIABLE } from '../../api/pod-sidecar.ts';
import { CONTROL_PLANE_NAMESPACE } from '../../identity/svid.ts';
import { err, must, ok, type Result } from '../../kit/result.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { ARMED_ROUTE, armedResources } from './armed.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import type { Housed } from './house.ts';
import { buildImage, type Image, unpack } from './image.ts';
import {
  appPortOf,
  housed,
  isArmed,
  type PairTools,
  type PreparePair,
  type Shape,
  speaksGrpc,
  TARGETS,
} from './pair.ts';
import { freePort } from './ports.ts';
import { type Sidecar, startSidecars } from './start-sidecars.ts';

const TRUST_DOMAIN = must(parseTrustDomain('bench.test'));
const NAMESPACE = must(parseNamespace('default'));

export const invoke: PreparePair = async (tools) => {
  const image = buildImage();
  if (!image.ok) return image;
  const plane = await startControlPlane(TRUST_DOMAIN);
  const ground = { image: image.value, plane, tools };
  return ok({
    version: packageJson.version,
    async start(shape) {
      plane.arm(isArmed(shape) ? armedResources(shape, NAMESPACE) : []);
      const caller = await place({ name: 'client', shape, appPort: undefined }, plane);
      const client = inImage(caller, ground);
      if (!client.ok) return client;
      const placed: Placed[] = [];
      for (const name of TARGETS[shape]) {
        const server = await place({ name, shape, appPort: appPortOf(shape, tools.app) }, plane);
        plane.place(name, server.ports.peerPort);
        placed.push(server);
      }
      const servers: Sidecar[] = [];
      for (const [i, house] of housed(placed).entries()) {
        const [only] = house;
        const server = house.length === 1 && only !== undefined ? inImage(only, ground) : ok(inHouse(house, i, ground));
        if (!server.ok) return server;
        servers.push(server.value);
      }
      const running = await startSidecars(tools.children, { shape, servers, client: client.value });
      if (!running.ok || !isArmed(shape)) return running;
      const resilient = await goesByResiliency(caller.ports.metricsPort);
      return resilient.ok ? running : resilient;
    },
    close: () => plane.close(),
  });
};

/** That calls are let through by the breaker of the route. */
async function goesByResiliency(metricsPort: number): Promise<Result<undefined>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const closed = `invoke_breakers{peer="server.default",route="${ARMED_ROUTE}",state="closed"} 1`;
  return text.includes(closed)
    ? ok(undefined)
    : err('the caller does not go by its Resiliency: no breaker of the route');
}

interface Ground {
  readonly image: Image;
  readonly plane: ControlPlane;
  readonly tools: PairTools;
}

interface Role {
  readonly name: string;
  readonly shape: Shape;
  /** Undefined for the caller. */
  readonly appPort: number | undefined;
}

interface Placed extends Role {
  readonly ports: Readonly<Record<'httpPort' | 'grpcPort' | 'publicPort' | 'peerPort' | 'metricsPort', number>>;
  /** As the webhook would have written it. */
  readonly config: string;
}

async function place(role: Role, plane: ControlPlane): Promise<Placed> {
  const { name, shape, appPort } = role;
  const ports = {
    httpPort: await freePort(),
    grpcPort: await freePort(),
    publicPort: await freePort(),
    metricsPort: await freePort(),
    peerPort: await freePort(),
  };
  const config = printPodSidecar({
    ...{ appId: must(parseAppId(name)), namespace: NAMESPACE, trustDomain: TRUST_DOMAIN },
    controlPlaneNamespace: CONTROL_PLANE_NAMESPACE,
    sentryAddress: `127.0.0.1:${plane.sentryPort}`,
    feedAddress: `127.0.0.1:${plane.feedPort}`,
    clusterDomain: 'cluster.local',
    ...(appPort === undefined ? {} : { appPort, appProtocol: speaksGrpc(shape) ? 'grpc' : 'http' }),
    appHost: 'localhost',
    ...ports,
    gracefulShutdownMs: 1000,
    ...{
      logLevel: 'info',
      logFormat: 'json',
      allowedOrigins: [],
      allowedHosts: ['server.bench.test'],
      statuses: 'honest',
    },
  });
  return { ...role, ports, config };
}

const TOKEN = 'the sentry of a benchmark believes everybody\n';

/** A process of its own, as in a pod. */
function inImage({ name, shape, appPort, ports, config }: Placed, { image, plane, tools }: Ground): Result<Sidecar> {
  const unpacked = unpack(image, freshFolder(tools, `${shape}-${name}`));
  if (!unpacked.ok) return unpacked;
  const { program, tokenFile, trustAnchorsFile } = unpacked.value;
  writeFileSync(tokenFile, TOKEN);
  writeFileSync(trustAnchorsFile, plane.anchors);
  const args = [...image.settings.flags, program];
  const command = { file: process.execPath, args, env: { ...image.settings.env, [SIDECAR_VARIABLE]: config } };
  const callPort = speaksGrpc(shape) ? ports.grpcPort : ports.httpPort;
  return ok({ name: `invoke-${name}`, port: appPort === undefined ? callPort : ports.peerPort, command });
}

/** A process that they share. */
function inHouse(house: readonly Placed[], index: number, { image, plane, tools }: Ground): Sidecar {
  const folder = freshFolder(tools, `house-${index}`);
  const token = join(folder, 'token');
  const trustAnchors = join(folder, 'trust-anchors.crt');
  writeFileSync(token, TOKEN);
  writeFileSync(trustAnchors, plane.anchors);
  const list: readonly Housed[] = house.map(({ name, config }) => ({
    config,
    paths: {
      token,
      trustAnchors,
      snapshot: join(folder, `${name}.snapshot`),
      drain: join(folder, `${name}.drain`),
      endpointSecretsDirectory: join(folder, 'endpoints'),
    },
  }));
  const listFile = join(folder, 'sidecars.json');
  writeFileSync(listFile, JSON.stringify(list));
  const args = [...image.settings.flags, join(import.meta.dirname, 'house.ts'), listFile];
  const port = house.at(-1)?.ports.peerPort ?? 0;
  return { name: `invoke-server-${index}`, port, command: { file: process.execPath, args, env: image.settings.env } };
}

/** Nothing is kept from the start before. */
function freshFolder({ folder }: PairTools, name: string): string {
  const own = join(folder, name);
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own, { recursive: true });
  return own;
}
