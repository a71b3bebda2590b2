// Our own pair: two sidecars as the image has them, with certificates from a sentry, the app's place from a feed, metrics and
// trace context on.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAppId, parseNamespace, parseTrustDomain } from '../../api/ids.ts';
import { printPodSidecar, SIDECAR_VARIABLE } from '../../api/pod-sidecar.ts';
import { CONTROL_PLANE_NAMESPACE } from '../../identity/svid.ts';
import { must, ok, type Result } from '../../kit/result.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { buildImage, type Image, unpack } from './image.ts';
import { appPortOf, type PairTools, type PreparePair, type Shape, TARGETS } from './pair.ts';
import { freePort } from './ports.ts';
import { type Sidecar, startSidecars } from './start-sidecars.ts';

const TRUST_DOMAIN = must(parseTrustDomain('bench.test'));
const NAMESPACE = must(parseNamespace('default'));

export const invoke: PreparePair = async (tools) => {
  const image = buildImage();
  if (!image.ok) return image;
  const plane = await startControlPlane(TRUST_DOMAIN);
  return ok({
    version: packageJson.version,
    async start(shape) {
      const servers: PlacedSidecar[] = [];
      for (const name of TARGETS[shape]) {
        const appPort = appPortOf(shape, tools.app);
        const server = await sidecarOf({ name, shape, appPort }, image.value, plane, tools);
        if (!server.ok) return server;
        plane.place(name, server.value.peerPort);
        servers.push({ ...server.value, port: server.value.peerPort });
      }
      const client = await sidecarOf({ name: 'client', shape, appPort: undefined }, image.value, plane, tools);
      if (!client.ok) return client;
      return startSidecars(tools.children, { shape, servers, client: client.value });
    },
    close: () => plane.close(),
  });
};

interface PlacedSidecar extends Sidecar {
  readonly peerPort: number;
}

interface Role {
  readonly name: string;
  readonly shape: Shape;
  /** Undefined for the caller. */
  readonly appPort: number | undefined;
}

async function sidecarOf(
  { name, shape, appPort }: Role,
  image: Image,
  plane: ControlPlane,
  { folder }: PairTools,
): Promise<Result<PlacedSidecar>> {
  const own = join(folder, `${shape}-${name}`);
  // Nothing is kept from the start before.
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own, { recursive: true });
  const unpacked = unpack(image, own);
  if (!unpacked.ok) return unpacked;
  const { program, tokenFile, trustAnchorsFile } = unpacked.value;
  writeFileSync(tokenFile, 'the sentry of a benchmark believes everybody\n');
  writeFileSync(trustAnchorsFile, plane.anchors);
  const ports = {
    httpPort: await freePort(),
    grpcPort: await freePort(),
    publicPort: await freePort(),
    peerPort: await freePort(),
    metricsPort: await freePort(),
  };
  const config = printPodSidecar({
    ...{ appId: must(parseAppId(name)), namespace: NAMESPACE, trustDomain: TRUST_DOMAIN },
    controlPlaneNamespace: CONTROL_PLANE_NAMESPACE,
    sentryAddress: `127.0.0.1:${plane.sentryPort}`,
    feedAddress: `127.0.0.1:${plane.feedPort}`,
    clusterDomain: 'cluster.local',
    ...(appPort === undefined ? {} : { appPort, appProtocol: shape === 'grpc' ? 'grpc' : 'http' }),
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
  const args = [...image.settings.flags, program];
  const command = { file: process.execPath, args, env: { ...image.settings.env, [SIDECAR_VARIABLE]: config } };
  const port = shape === 'grpc' ? ports.grpcPort : ports.httpPort;
  return ok({ name: `invoke-${name}`, port, peerPort: ports.peerPort, command });
}
