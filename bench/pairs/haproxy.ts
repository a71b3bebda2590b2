// A pair of HAProxys: one thread each, no logs, HTTP/2 over mutual TLS between. With many apps, the field that names one names a
// backend.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok } from '../../kit/result.ts';
import { appPortOf, housed, isArmed, type PreparePair, speaksGrpc, TARGETS, UNARMED } from './pair.ts';
import { freePort } from './ports.ts';
import { findProgram, versionOf } from './programs.ts';
import { startSidecars } from './start-sidecars.ts';

export const haproxy: PreparePair = async (tools) => {
  const { certificates, folder, children } = tools;
  const { client, server, anchors } = certificates;
  const file = findProgram('haproxy', tools.env.PATH);
  if (file === undefined) return err('there is no haproxy on the path; on Debian: apt-get install haproxy');
  const command = (name: string, binds: readonly string[], upstreams: readonly Upstream[]) => {
    const path = join(folder, `${name}.cfg`);
    writeFileSync(path, configOf(binds, upstreams));
    // In the foreground, as one process.
    return { file, args: ['-db', '-f', path] };
  };
  return ok({
    version: versionOf(file, '-v'),
    async start(shape) {
      if (isArmed(shape)) return err(UNARMED);
      const tls = `ssl verify required ca-file ${anchors} alpn h2 ssl-min-ver TLSv1.3`;
      const peer = `${tls} crt ${client.bundle} verifyhost ${server.dnsName} sni str(${server.dnsName})`;
      const clearProtocol = speaksGrpc(shape) ? ' proto h2' : '';
      const app = { name: 'app', server: `127.0.0.1:${appPortOf(shape, tools.app)}${clearProtocol}` };
      const links: { name: string; port: number }[] = [];
      for (const name of TARGETS[shape]) links.push({ name, port: await freePort() });
      const entryPort = await freePort();
      const peers = links.map(({ name, port }) => ({ name, server: `127.0.0.1:${port} ${peer}` }));
      return startSidecars(children, {
        shape,
        servers: housed(links).map((house, i) => ({
          name: `haproxy-server-${i}`,
          port: house.at(-1)?.port ?? 0,
          command: command(
            `${shape}-server-${i}`,
            house.map(({ port }) => `127.0.0.1:${port} ${tls} crt ${server.bundle}`),
            [app],
          ),
        })),
        client: {
          name: 'haproxy-client',
          port: entryPort,
          command: command(`${shape}-client`, [`127.0.0.1:${entryPort}${clearProtocol}`], peers),
        },
      });
    },
  });
};

interface Upstream {
  readonly name: string;
  readonly server: string;
}

function configOf(binds: readonly string[], upstreams: readonly Upstream[]): string {
  const [only] = upstreams;
  const choice = upstreams.length === 1 ? `default_backend ${only?.name}` : 'use_backend %[req.hdr(dapr-app-id)]';
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
${binds.map((bind) => `  bind ${bind}`).join('\n')}
  ${choice}
${upstreams.map(({ name, server }) => `backend ${name}\n  server upstream ${server}`).join('\n')}
`;
}
