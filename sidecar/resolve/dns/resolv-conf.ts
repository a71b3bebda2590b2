// The name servers of this machine, from /etc/resolv.conf. Its search list is not looked at: we ask for whole names.
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

export const RESOLV_CONF = '/etc/resolv.conf';

export interface NameServer {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

/** As many as any resolver looks at. */
const SERVERS_MAX = 3;
const DNS_PORT = 53;

/** Those of a file, as it is at each call: read again once it has changed. The last good ones, while it cannot be read. */
export function nameServersOf(path: string): () => readonly NameServer[] {
  let version = '';
  let servers: readonly NameServer[] = [];
  return () => {
    try {
      const { mtimeMs, ino, size } = statSync(path);
      const current = `${mtimeMs} ${ino} ${size}`;
      if (current === version) return servers;
      servers = parseResolvConf(readFileSync(path, 'utf8'));
      version = current;
    } catch {
      version = '';
    }
    return servers;
  };
}

export function parseResolvConf(text: string): readonly NameServer[] {
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+([^\s#;]+)/.exec(line)?.[1] ?? '')
    .filter((host) => isIP(host) !== 0)
    .slice(0, SERVERS_MAX)
    .map((host) => ({ host, port: DNS_PORT }));
}
