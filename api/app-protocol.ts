// What an app speaks on its port, to its own sidecar.
import { parseOneOf } from '../kit/values.ts';

/**
 * `http`: HTTP/1.1, `h2c`: HTTP/2 by prior knowledge, `grpc`: gRPC; all three without TLS. `https`: HTTP/1.1 over TLS, `grpcs`:
 * gRPC over TLS.
 */
export const APP_PROTOCOLS = ['http', 'h2c', 'https', 'grpc', 'grpcs'] as const;
export type AppProtocol = (typeof APP_PROTOCOLS)[number];

export const parseAppProtocol = parseOneOf(APP_PROTOCOLS);

export function isOverTls(protocol: AppProtocol): boolean {
  return protocol === 'https' || protocol === 'grpcs';
}
