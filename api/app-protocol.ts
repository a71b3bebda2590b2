// What an app speaks on its port, to its own sidecar.
import { err, type Result } from '../kit/result.ts';
import { parseOneOf } from '../kit/values.ts';

/** `grpc`: over HTTP/2 without TLS. */
export const APP_PROTOCOLS = ['http', 'grpc'] as const;
export type AppProtocol = (typeof APP_PROTOCOLS)[number];

/** Of Dapr's. */
const NOT_SERVED = ['https', 'h2c', 'grpcs'];

export function parseAppProtocol(text: string): Result<AppProtocol> {
  if (!NOT_SERVED.includes(text)) return parseOneOf(APP_PROTOCOLS)(text);
  return err(`"${text}" is not served yet; write one of ${APP_PROTOCOLS.join(', ')}`);
}
