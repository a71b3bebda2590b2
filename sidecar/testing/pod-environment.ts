// For tests: what a pod gives to its sidecar, on this machine: an environment, mounted files, and a sentry to go with them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PodSidecar, printPodSidecar, SIDECAR_VARIABLE } from '../../api/pod-sidecar.ts';
import { sentryIdentity } from '../../identity/svid.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { type FakeSentry, signedBy, startFakeSentry } from '../../identity/testing-sentry.ts';
import { freePort } from '../../kit/testing/ports.ts';
import type { PodPaths } from '../pod.ts';
import { identityOf, TRUST_DOMAIN } from './mesh.ts';

export interface PodEnvironment {
  readonly env: Readonly<Record<string, string>>;
  readonly sidecar: PodSidecar;
  readonly paths: PodPaths;
  readonly sentry: FakeSentry;
  /** What the kubelet does a moment after the container has started. */
  mount(): void;
  close(): Promise<void>;
}

export async function podEnvironment(more: Partial<PodSidecar> = {}): Promise<PodEnvironment> {
  const [ca, self, folder] = [throwawayCa(), identityOf('web', 'shop'), mkdtempSync(join(tmpdir(), 'invoke-pod-'))];
  const sentry = await startFakeSentry({ at: ca.issue(sentryIdentity(TRUST_DOMAIN)), answer: signedBy(ca) });
  const [httpPort, grpcPort, publicPort, peerPort, metricsPort] = await freePorts();
  const sidecar: PodSidecar = {
    ...{ appId: self.app, namespace: self.namespace, trustDomain: TRUST_DOMAIN },
    controlPlaneNamespace: sentryIdentity(TRUST_DOMAIN).namespace,
    sentryAddress: `127.0.0.1:${sentry.port}`,
    feedAddress: '127.0.0.1:1',
    clusterDomain: 'cluster.local',
    appHost: 'localhost',
    ...{ httpPort, grpcPort, publicPort, peerPort, metricsPort },
    gracefulShutdownMs: 5000,
    ...{ logLevel: 'info', logFormat: 'json', allowedOrigins: [], allowedHosts: [], statuses: 'honest' },
    ...more,
  };
  const file = (name: string) => join(folder, name);
  const paths = {
    token: file('token'),
    trustAnchors: file('anchors'),
    snapshot: file('kept'),
    drain: file('drain'),
    endpointSecretsDirectory: file('endpoints'),
  };
  return {
    ...{ sidecar, paths, sentry },
    env: { [SIDECAR_VARIABLE]: printPodSidecar(sidecar) },
    mount() {
      writeFileSync(paths.token, 'a projected token\n');
      writeFileSync(paths.trustAnchors, ca.anchors.join('\n'));
    },
    async close() {
      await sentry.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Each is bound and let go again, so no two are the same while none is in use. */
async function freePorts(): Promise<[number, number, number, number, number]> {
  const ports = new Set<number>();
  while (ports.size < 5) ports.add(await freePort());
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = ports;
  return [a, b, c, d, e];
}
