// Our own pair: two sidecars as the image has them, with certificates from a sentry, the app's place from a feed, metrics and
// trace context on.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAppId, parseNamespace, parseTrustDomain } from '../../api/ids.ts';
import { printPodSidecar, SIDECAR_VARIABLE } from '../../api/pod-sidecar.ts';
import { CONTROL_PLANE_NAMESPACE } from '../../identity/svid.ts';
import { must, ok, type Result } from '../../kit/result.ts';
import { freePort } from '../../kit/testing/ports.ts';
import packageJson from '../../package.json' with { type: 'json' };
import type { Role } from './certificates.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { buildImage, type Image, unpack } from './image.ts';
import type { PairTools, PreparePair } from './pair.ts';
import { type Sidecar, startTwo } from './two-sidecars.ts';

const TRUST_DOMAIN = must(parseTrustDomain('bench.test'));
const NAMESPACE = must(parseNamespace('default'));

export const invoke: PreparePair = async (tools) => {
  const image = buildImage();
  if (!image.ok) return image;
  const plane = await startControlPlane(TRUST_DOMAIN);
  return ok({
    version: packageJson.version,
    async start() {
      const server = await sidecarOf('server', tools.appPort, image.value, plane, tools);
      if (!server.ok) return server;
      const client = await sidecarOf('client', undefined, image.value, plane, tools);
      if (!client.ok) return client;
      plane.place('server', server.value.peerPort);
      return startTwo(tools.children, { ...server.value, port: server.value.peerPort }, client.value);
    },
    close: () => plane.close(),
  });
};

async function sidecarOf(
  role: Role,
  appPort: number | undefined,
  image: Image,
  plane: ControlPlane,
  { folder }: PairTools,
): Promise<Result<Sidecar & { readonly peerPort: number }>> {
  const own = join(folder, role);
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
    ...{ appId: must(parseAppId(role)), namespace: NAMESPACE, trustDomain: TRUST_DOMAIN },
    controlPlaneNamespace: CONTROL_PLANE_NAMESPACE,
    sentryAddress: `127.0.0.1:${plane.sentryPort}`,
    feedAddress: `127.0.0.1:${plane.feedPort}`,
    clusterDomain: 'cluster.local',
    ...(appPort === undefined ? {} : { appPort }),
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
  return ok({ name: `invoke-${role}`, port: ports.httpPort, peerPort: ports.peerPort, command });
}
