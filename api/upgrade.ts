// Which protocols an HTTP/1.1 request may go on in (Upgrade), through the sidecars: WebSocket, and what people list. A token
// that is not carried is passed over, as servers may (RFC 9110, 7.8): the request goes on as plain HTTP.
import { err, ok, type Result } from '../kit/result.ts';

const WEBSOCKET = 'websocket';

/** A name, and a version if there is one. */
const PROTOCOL = /^[!#$%&'*+\-.^_`|~0-9a-z]+(\/[!#$%&'*+\-.^_`|~0-9a-z]+)?$/;

/**
 * Of these whoever asks would speak on with the app alone, call after call, and no policy would be asked about any but the
 * first.
 */
const CARRIES_CALLS = /^(h2c?|h3|https?|tls)(\/|$)/;

/** A token that people list. */
export function parseUpgradeProtocol(text: string): Result<string> {
  const protocol = text.toLowerCase();
  if (!PROTOCOL.test(protocol))
    return err(`"${text}" is not the token of a protocol; write it as the header Upgrade has it`);
  if (!CARRIES_CALLS.test(protocol)) return ok(protocol);
  return err(`"${text}" never leaves a sidecar: no policy would see the requests inside; leave it out`);
}

/** The first token of the header that is carried, in lower case; undefined: none is. `listed` went through the parser above. */
export function carriedProtocol(method: string, upgrade: string, listed: readonly string[]): string | undefined {
  const tokens = upgrade.split(',').map((token) => token.trim().toLowerCase());
  // RFC 6455, 4.1: the method of a WebSocket's handshake is GET.
  return tokens.find((token) => (token === WEBSOCKET && method === 'GET') || listed.includes(token));
}
