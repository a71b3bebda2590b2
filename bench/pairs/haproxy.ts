// A pair of HAProxys: one thread each, no logs, HTTP/2 over mutual TLS between.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok } from '../../kit/result.ts';
import { freePort } from '../../kit/testing/ports.ts';
import type { PreparePair } from './pair.ts';
import { findProgram, versionOf } from './programs.ts';
import { startTwo } from './two-sidecars.ts';

export const haproxy: PreparePair = async (tools) => {
  const { certificates, folder, children, appPort } = tools;
  const { client, server, anchors } = certificates;
  const file = findProgram('haproxy', tools.env.PATH);
  if (file === undefined) return err('there is no haproxy on the path; on Debian: apt-get install haproxy');
  const command = (name: string, bind: string, upstream: string) => {
    const path = join(folder, `${name}.cfg`);
    writeFileSync(path, configOf(bind, upstream));
    // In the foreground, as one process.
    return { file, args: ['-db', '-f', path] };
  };
  return ok({
    version: versionOf(file, '-v'),
    async start() {
      const [entryPort, linkPort] = [await freePort(), await freePort()];
      const tls = `ssl verify required ca-file ${anchors} alpn h2 ssl-min-ver TLSv1.3`;
      const link = `127.0.0.1:${linkPort} ${tls}`;
      const peer = `${link} crt ${client.bundle} verifyhost ${server.dnsName} sni str(${server.dnsName})`;
      return startTwo(
        children,
        {
          name: 'haproxy-server',
          port: linkPort,
          command: command('server', `${link} crt ${server.bundle}`, `127.0.0.1:${appPort}`),
        },
        { name: 'haproxy-client', port: entryPort, command: command('client', `127.0.0.1:${entryPort}`, peer) },
      );
    },
  });
};

function configOf(bind: string, upstream: string): string {
  return `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 2s
  timeout client 120s
  timeout server 120s
  http-reuse always
frontend entry
  bind ${bind}
  default_backend upstream
backend upstream
  server upstream ${upstream}
`;
}
