// Dapr's own sidecar and authority, where DAPRD and DAPR_SENTRY name the binaries. Its authority signs with the issuer of ours, as
// somebody would have it who moves from one to the other: whoever trusts our root then trusts both.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { type AtEnd, type Cli, startProgram, throwawayFolder } from '../../cli/testing.ts';
import { freePort } from '../../kit/testing/ports.ts';
import type { Machine } from '../machine.ts';

/** Dapr's sidecars are of this one where nobody says another, and outside of Kubernetes nobody can. */
export const TRUST_DOMAIN = 'public';

export const areDaprsBinariesThere = env.DAPRD !== undefined && env.DAPR_SENTRY !== undefined;

export interface DaprSentry {
  readonly address: string;
  readonly anchorsPem: string;
}

/** The authority of `laptop` has to be there already: it is made by its first sidecar. */
export async function startDaprSentry(laptop: Machine, atEnd: AtEnd): Promise<DaprSentry> {
  const folder = throwawayFolder('dapr-sentry', atEnd);
  const credentials = join(folder, 'credentials');
  mkdirSync(credentials);
  const files = { 'root.crt': 'ca.crt', 'issuer.crt': 'issuer.crt', 'issuer.key': 'issuer.key' };
  for (const [ours, daprs] of Object.entries(files)) {
    copyFileSync(join(laptop.home, 'ca', ours), join(credentials, daprs));
  }
  const port = await freePort();
  const flags = {
    config: writeConfig(folder, { mtls: { enabled: true } }),
    'issuer-credentials': credentials,
    'trust-domain': TRUST_DOMAIN,
    'listen-address': '127.0.0.1',
    port,
    'healthz-port': await freePort(),
    'metrics-port': await freePort(),
  };
  const sentry = start(env.DAPR_SENTRY, flags, [], {}, atEnd);
  await sentry.printed(/Running gRPC server/i);
  return { address: `127.0.0.1:${port}`, anchorsPem: readFileSync(join(credentials, 'ca.crt'), 'utf8') };
}

export interface Daprd {
  readonly cli: Cli;
  readonly url: string;
  readonly grpcPort: number;
  readonly peerPort: number;
}

export interface DaprdOptions {
  readonly appId: string;
  readonly sentry: DaprSentry;
  /** Where every name leads to. */
  readonly peerPort: number;
  readonly app?: { readonly port: number; readonly protocol: 'http' | 'grpc' };
}

export async function startDaprd({ appId, sentry, peerPort, app }: DaprdOptions, atEnd: AtEnd): Promise<Daprd> {
  const [http, grpc, internal, metrics] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const configuration = { format: `passthrough://{appid}/127.0.0.1:${peerPort}` };
  const spec = { nameResolution: { component: 'nameformat', version: 'v1', configuration } };
  const flags = {
    'app-id': appId,
    config: writeConfig(throwawayFolder('daprd', atEnd), spec),
    'sentry-address': sentry.address,
    'dapr-http-port': http,
    'dapr-grpc-port': grpc,
    'dapr-internal-grpc-port': internal,
    'metrics-port': metrics,
    'control-plane-trust-domain': TRUST_DOMAIN,
    'disable-init-endpoints': 'config,subscribe',
    ...(app && { 'app-port': app.port, 'app-protocol': app.protocol }),
  };
  const anchors = { DAPR_TRUST_ANCHORS: sentry.anchorsPem, NAMESPACE: 'default' };
  const cli = start(env.DAPRD, flags, ['--enable-mtls'], anchors, atEnd);
  await cli.printed(/dapr initialized/);
  return { cli, url: `http://127.0.0.1:${http}`, grpcPort: grpc, peerPort: internal };
}

function start(
  file: string | undefined,
  flags: Readonly<Record<string, string | number>>,
  switches: readonly string[],
  more: Readonly<Record<string, string>>,
  atEnd: AtEnd,
): Cli {
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return startProgram(file ?? '', [...args, ...switches], more, atEnd);
}

/** JSON is YAML, too. */
function writeConfig(folder: string, spec: unknown): string {
  const file = join(folder, 'configuration.yaml');
  const kind = { apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: 'peer' } };
  writeFileSync(file, JSON.stringify({ ...kind, spec }));
  return file;
}
