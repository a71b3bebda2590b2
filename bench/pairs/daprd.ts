// A pair of Dapr sidecars, of binaries that are on the path or that DAPRD and DAPR_SENTRY name: mutual TLS by Dapr's own sentry, a
// resolver that looks nothing up, metrics on, tracing and API logging off.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, systemClock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Child, Command } from '../children.ts';
import type { Role } from './certificates.ts';
import { appPortOf, isArmed, type PairTools, type PreparePair, speaksGrpc, UNARMED } from './pair.ts';
import { freePort } from './ports.ts';
import { findProgram, versionOf } from './programs.ts';
import { startSidecars } from './start-sidecars.ts';

const TRUST_DOMAIN = 'bench.test';
const LOOK_EVERY_MS = 20;
const SENTRY_MS_MAX = 10_000;

export const daprd: PreparePair = async (tools) => {
  const { env, children } = tools;
  const file = env.DAPRD ?? findProgram('daprd', env.PATH);
  const sentryFile = env.DAPR_SENTRY ?? findProgram('sentry', env.PATH);
  if (file === undefined) return err('there is no daprd on the path; name one by DAPRD, and its sentry by DAPR_SENTRY');
  if (sentryFile === undefined) return err('there is no sentry of Dapr on the path; name one by DAPR_SENTRY');
  const sentry = await startSentry(sentryFile, tools);
  if (!sentry.ok) return sentry;
  const { anchorsFile, port: sentryPort, child } = sentry.value;
  return ok({
    version: versionOf(file, '--version'),
    async start(shape) {
      if (isArmed(shape)) return err(UNARMED);
      if (shape === 'many') return err('the resolver gives every name the same address');
      const ports = { client: await portsOf(), server: await portsOf() };
      const config = writeConfig(join(tools.folder, 'daprd.yaml'), resolverOf(ports.server.internal));
      const command = (role: Role, ...more: readonly string[]): Command => ({
        file,
        args: [...flagsOf(role, ports[role], sentryPort, config), ...more],
        env: { DAPR_TRUST_ANCHORS: readFileSync(anchorsFile, 'utf8'), NAMESPACE: 'default' },
      });
      const appPort = String(appPortOf(shape, tools.app));
      const protocol = speaksGrpc(shape) ? 'grpc' : 'http';
      const server = command('server', '--app-port', appPort, '--app-protocol', protocol);
      const entryPort = speaksGrpc(shape) ? ports.client.grpc : ports.client.http;
      return startSidecars(children, {
        shape,
        servers: [{ name: 'daprd-server', port: ports.server.internal, command: server }],
        client: { name: 'daprd-client', port: entryPort, command: command('client') },
      });
    },
    close: () => child.end(),
  });
};

interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly internal: number;
  readonly metrics: number;
}

async function portsOf(): Promise<Ports> {
  const [http, grpc, internal, metrics] = [await freePort(), await freePort(), await freePort(), await freePort()];
  return { http, grpc, internal, metrics };
}

function flagsOf(role: Role, ports: Ports, sentryPort: number, config: string): readonly string[] {
  const flags = {
    ...{ 'app-id': role, config, 'log-level': 'warn', 'sentry-address': `127.0.0.1:${sentryPort}` },
    'dapr-http-port': ports.http,
    'dapr-grpc-port': ports.grpc,
    'dapr-internal-grpc-port': ports.internal,
    'metrics-port': ports.metrics,
    'control-plane-trust-domain': TRUST_DOMAIN,
    'disable-init-endpoints': 'config,subscribe',
    'dapr-graceful-shutdown-seconds': 1,
  };
  return [...Object.entries(flags).map(([name, value]) => `--${name}=${value}`), '--enable-mtls'];
}

/**
 * Every name leads to the one server: the resolver insists on having the name in its answer, and in that place of a gRPC target
 * nobody reads it.
 */
function resolverOf(serverPort: number) {
  const configuration = { format: `passthrough://{appid}/127.0.0.1:${serverPort}` };
  return { nameResolution: { component: 'nameformat', version: 'v1', configuration } };
}

/** JSON is YAML, too. */
function writeConfig(file: string, spec: unknown): string {
  const kind = { apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: 'bench' } };
  writeFileSync(file, JSON.stringify({ ...kind, spec }));
  return file;
}

interface Sentry {
  readonly child: Child;
  readonly port: number;
  readonly anchorsFile: string;
}

/** It makes its own root, which is there once it serves. */
async function startSentry(file: string, { children, folder }: PairTools): Promise<Result<Sentry>> {
  const credentials = join(folder, 'credentials');
  rmSync(credentials, { recursive: true, force: true });
  mkdirSync(credentials);
  const anchorsFile = join(credentials, 'ca.crt');
  const [port, healthPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const flags = {
    config: writeConfig(join(folder, 'sentry.yaml'), { mtls: { enabled: true } }),
    'issuer-credentials': credentials,
    'trust-domain': TRUST_DOMAIN,
    ...{ port, 'listen-address': '127.0.0.1', 'log-level': 'warn' },
    ...{ 'healthz-port': healthPort, 'metrics-port': metricsPort },
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child = children.start('dapr-sentry', { file, args, env: { NAMESPACE: 'default' } });
  if (!child.ok) return child;
  const endMs = performance.now() + SENTRY_MS_MAX;
  while (!existsSync(anchorsFile)) {
    const death = child.value.death();
    if (death !== undefined) return err(death);
    if (performance.now() > endMs) return err(`the sentry of Dapr wrote no ${anchorsFile}`);
    await sleep(systemClock, LOOK_EVERY_MS);
  }
  return ok({ child: child.value, port, anchorsFile });
}
