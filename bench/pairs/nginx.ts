// A pair of nginxes: one process each, no logs. It speaks no HTTP/2 to an upstream but for gRPC, so the link of HTTP calls is
// HTTP/1.1 over mutual TLS, on connections that are kept. With many apps, the field that names one names an upstream.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok } from '../../kit/result.ts';
import type { CertificateFiles } from './certificates.ts';
import { appPortOf, housed, isArmed, type PreparePair, type Shape, speaksGrpc, TARGETS, UNARMED } from './pair.ts';
import { freePort } from './ports.ts';
import { findProgram, versionOf } from './programs.ts';
import { startSidecars } from './start-sidecars.ts';

export const nginx: PreparePair = async (tools) => {
  const { certificates, folder, children } = tools;
  const { client, server, anchors } = certificates;
  const file = findProgram('nginx', tools.env.PATH);
  if (file === undefined) return err('there is no nginx on the path; on Debian: apt-get install nginx-light');
  const command = (name: string, site: Site) => {
    const own = join(folder, `${site.shape}-${name}`);
    mkdirSync(own, { recursive: true });
    const path = join(own, 'nginx.conf');
    writeFileSync(path, configOf(own, site));
    return { file, args: ['-e', 'stderr', '-p', own, '-c', path] };
  };
  return ok({
    version: versionOf(file, '-v'),
    async start(shape) {
      if (isArmed(shape)) return err(UNARMED);
      const upstreams: Upstream[] = [];
      for (const name of TARGETS[shape]) upstreams.push({ name, port: await freePort() });
      const entryPort = await freePort();
      const serverTls = [
        `ssl_certificate ${server.chain}; ssl_certificate_key ${server.key}; ssl_protocols TLSv1.3;`,
        `ssl_verify_client on; ssl_client_certificate ${anchors}; ssl_verify_depth 3;`,
      ];
      const clientTls = upstreamTls(speaksGrpc(shape) ? 'grpc' : 'proxy', client, anchors, server.dnsName);
      const toApp = { shape, isSecure: false, upstreams: [{ name: 'app', port: appPortOf(shape, tools.app) }] };
      const toPeers = { shape, isSecure: true, upstreams, listen: [`${entryPort}`], tls: clientTls };
      return startSidecars(children, {
        shape,
        servers: housed(upstreams).map((house, i) => {
          const listen = house.map(({ port }) => `${port} ssl`);
          return {
            name: `nginx-server-${i}`,
            port: house.at(-1)?.port ?? 0,
            command: command(`server-${i}`, { ...toApp, listen, tls: serverTls }),
          };
        }),
        client: { name: 'nginx-client', port: entryPort, command: command('client', toPeers) },
      });
    },
  });
};

interface Upstream {
  readonly name: string;
  readonly port: number;
}

interface Site {
  readonly shape: Shape;
  readonly listen: readonly string[];
  /** To the upstreams. */
  readonly isSecure: boolean;
  readonly upstreams: readonly Upstream[];
  readonly tls: readonly string[];
}

function upstreamTls(module: 'proxy' | 'grpc', own: CertificateFiles, anchors: string, peer: string) {
  const ssl = `${module}_ssl`;
  return [
    `${ssl}_certificate ${own.chain}; ${ssl}_certificate_key ${own.key}; ${ssl}_protocols TLSv1.3;`,
    `${ssl}_verify on; ${ssl}_trusted_certificate ${anchors}; ${ssl}_verify_depth 3;`,
    `${ssl}_server_name on; ${ssl}_name ${peer};`,
  ];
}

function configOf(folder: string, { shape, listen, isSecure, upstreams, tls }: Site): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
master_process off;
pid ${folder}/pid;
events { worker_connections 8192; }
http {
  access_log off;
  ${temporary.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  client_max_body_size 0;
  keepalive_requests 1000000000;
${upstreams.map(upstreamOf).join('\n')}
  server {
    ${listen.map((one) => `listen 127.0.0.1:${one}${speaksGrpc(shape) ? ' http2' : ''};`).join('\n    ')}
    ${tls.join('\n    ')}
    location / {
      ${passTo(shape, isSecure, upstreams)}
    }
  }
}
`;
}

function upstreamOf({ name, port }: Upstream): string {
  const kept = 'keepalive 1024; keepalive_requests 1000000000;';
  return `  upstream ${name} { server 127.0.0.1:${port}; ${kept} }`;
}

function passTo(shape: Shape, isSecure: boolean, upstreams: readonly Upstream[]): string {
  const [only] = upstreams;
  const upstream = upstreams.length === 1 ? only?.name : '$http_dapr_app_id';
  if (speaksGrpc(shape)) return `grpc_pass grpc${isSecure ? 's' : ''}://${upstream}; grpc_read_timeout 300s;`;
  return `proxy_pass http${isSecure ? 's' : ''}://${upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;`;
}
