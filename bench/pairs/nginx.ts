// A pair of nginxes: one process each, no logs. It speaks no HTTP/2 to an upstream, so the link is HTTP/1.1 over mutual TLS, on
// connections that are kept.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok } from '../../kit/result.ts';
import { freePort } from '../../kit/testing/ports.ts';
import type { PreparePair } from './pair.ts';
import { findProgram, versionOf } from './programs.ts';
import { startTwo } from './two-sidecars.ts';

export const nginx: PreparePair = async (tools) => {
  const { certificates, folder, children, appPort } = tools;
  const { client, server, anchors } = certificates;
  const file = findProgram('nginx', tools.env.PATH);
  if (file === undefined) return err('there is no nginx on the path; on Debian: apt-get install nginx-light');
  const command = (name: string, site: Site) => {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    const path = join(own, 'nginx.conf');
    writeFileSync(path, configOf(own, site));
    return { file, args: ['-e', 'stderr', '-p', own, '-c', path] };
  };
  return ok({
    version: versionOf(file, '-v'),
    async start() {
      const [entryPort, linkPort] = [await freePort(), await freePort()];
      const serverTls = [
        `ssl_certificate ${server.chain}; ssl_certificate_key ${server.key}; ssl_protocols TLSv1.3;`,
        `ssl_verify_client on; ssl_client_certificate ${anchors}; ssl_verify_depth 3;`,
      ];
      const clientTls = [
        `proxy_ssl_certificate ${client.chain}; proxy_ssl_certificate_key ${client.key}; proxy_ssl_protocols TLSv1.3;`,
        `proxy_ssl_verify on; proxy_ssl_trusted_certificate ${anchors}; proxy_ssl_verify_depth 3;`,
        `proxy_ssl_server_name on; proxy_ssl_name ${server.dnsName};`,
      ];
      const atServer = { listen: `${linkPort} ssl`, scheme: 'http', port: appPort, tls: serverTls };
      const atClient = { listen: `${entryPort}`, scheme: 'https', port: linkPort, tls: clientTls };
      return startTwo(
        children,
        { name: 'nginx-server', port: linkPort, command: command('server', atServer) },
        { name: 'nginx-client', port: entryPort, command: command('client', atClient) },
      );
    },
  });
};

interface Site {
  readonly listen: string;
  readonly scheme: string;
  readonly port: number;
  readonly tls: readonly string[];
}

function configOf(folder: string, { listen, scheme, port, tls }: Site): string {
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
  upstream next {
    server 127.0.0.1:${port};
    keepalive 1024;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${listen};
    ${tls.join('\n    ')}
    location / {
      proxy_pass ${scheme}://next;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
    }
  }
}
`;
}
