// Where the app is: how its host is looked up, and how it is written.
import { lookup } from 'node:dns';
import { isIPv6, type LookupFunction } from 'node:net';

/** `localhost` is 127.0.0.1 and then ::1, whatever the hosts file says. */
export const loopbackFirst: LookupFunction = (hostName, options, done) => {
  if (hostName !== 'localhost') {
    lookup(hostName, options, done);
    return;
  }
  const both = [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
  if (options.all === true) done(null, both);
  else done(null, '127.0.0.1', 4);
};

/** `host:port` as a URL or a Host header has it. */
export function authority(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
