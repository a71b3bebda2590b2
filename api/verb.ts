// The verbs of HTTP that a sidecar passes on, and what to say of another.
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt, nearest } from '../kit/text.ts';

/** The registered verbs (RFC 9110, 16.1) and the few others that are in use. To some app behind us another is no HTTP. */
export const VERBS: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'QUERY', 'ACL', 'BASELINE-CONTROL', 'BIND'],
  ...['CHECKIN', 'CHECKOUT', 'COPY', 'LABEL', 'LINK', 'LOCK', 'M-SEARCH', 'MERGE', 'MKACTIVITY', 'MKCALENDAR', 'MKCOL'],
  ...['MKREDIRECTREF', 'MKWORKSPACE', 'MOVE', 'NOTIFY', 'ORDERPATCH', 'PROPFIND', 'PROPPATCH', 'PURGE', 'REBIND'],
  ...['REPORT', 'SEARCH', 'SOURCE', 'SUBSCRIBE', 'UNBIND', 'UNCHECKOUT', 'UNLINK', 'UNLOCK', 'UNSUBSCRIBE', 'UPDATE'],
  ...['UPDATEREDIRECTREF', 'VERSION-CONTROL'],
]);

export function isKnownVerb(method: string): boolean {
  return VERBS.has(method);
}

/** Where people write one: a slip would otherwise be a verb that no call ever has. */
export function parseVerb(text: string): Result<string> {
  if (isKnownVerb(text)) return ok(text);
  const meant = nearest(text, [...VERBS]);
  const instead = meant === undefined ? 'write one that HTTP has, such as GET' : `did you mean ${meant}?`;
  return err(`no sidecar passes on the verb "${excerpt(text)}"; ${instead}`);
}
