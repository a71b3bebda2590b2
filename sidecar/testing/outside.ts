// For tests: services outside of the mesh, on loopback, and a sidecar's settings to call them.
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import { parseExternalPattern } from '../../api/external-pattern.ts';
import { type HttpEndpoint, readHttpEndpoint } from '../../api/http-endpoint.ts';
import { type IssueOptions, type ThrowawayCa, throwawayCa } from '../../identity/testing.ts';
import { must } from '../../kit/result.ts';
import { snapshot } from '../../kit/snapshot.ts';
import { portOf } from '../../kit/testing/ports.ts';
import type { OutsideConfig, OutsideRules } from '../external/outside.ts';
import { identityOf } from './mesh.ts';

/** It ends with the test. */
async function served(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return portOf(server);
}

export function plainService(handler: RequestListener): Promise<number> {
  return served(createServer(handler));
}

/** A certificate for a service, or for whoever calls one. */
export function certified(
  ca: ThrowawayCa,
  options: IssueOptions = {},
): { readonly cert: string; readonly key: string } {
  const { svid } = ca.issue(identityOf('service'), { uris: [], dnsNames: ['localhost'], ...options });
  return { cert: svid.chainPem, key: svid.keyPem };
}

export interface SecureService {
  readonly port: number;
  readonly ca: ThrowawayCa;
  /** PEM. */
  readonly root: string;
}

/** Over TLS, for `localhost` unless it is said, with an authority that nobody else knows. */
export async function secureService(
  handler: RequestListener,
  options: IssueOptions = {},
  tls: (ca: ThrowawayCa) => TlsOptions = () => ({}),
): Promise<SecureService> {
  const ca = throwawayCa();
  const server = createTlsServer({ ...certified(ca, options), ...tls(ca) }, handler);
  server.on('tlsClientError', () => undefined);
  return { port: await served(server), ca, root: ca.anchors.join('') };
}

export function endpoint(name: string, spec: object): HttpEndpoint {
  return must(readHttpEndpoint(name, spec));
}

export interface OutsideOptions {
  readonly allowed?: readonly string[];
  readonly endpoints?: readonly HttpEndpoint[];
  readonly arePublicHostsAllowed?: boolean;
  readonly secretsDirectory?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** As on a laptop; `advice` is `<advice>`. */
export function outside(options: OutsideOptions = {}): OutsideConfig {
  const { allowed = [], endpoints = [], arePublicHostsAllowed = true, secretsDirectory, env = {} } = options;
  return {
    rules: snapshot<OutsideRules>({
      endpoints: new Map(endpoints.map((one) => [one.name, one])),
      allowed: allowed.map((text) => must(parseExternalPattern(text))),
      arePublicHostsAllowed,
      advice: '<advice>',
    }),
    secretsDirectory,
    secretsAdvice: '<secrets>',
    variable: (name) => env[name],
  };
}
