// Which requests on the app API are calls, and of whom. Three forms, tried in this order (Dapr's contract):
//
//   1. a header `dapr-app-id` or `invoke-app-id` on any path: the whole path is the method;
//   2. `Authorization: Basic base64("dapr-app-id:<target>")`, likewise;
//   3. `/v1.0/invoke/<target>/method/<path>`.
import { type Fault, fault } from '../../api/fault.ts';
import { type Headers, headerValue, headerValues } from '../../api/headers.ts';
import { type Namespace, parseTarget, type Target } from '../../api/ids.ts';
import { type CanonicalPath, canonicalPath } from '../../api/path.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export interface Invocation {
  readonly target: Target;
  readonly path: CanonicalPath;
  /** Byte for byte, without the question mark. */
  readonly query: string;
}

const URL_FORM = /^\/+v1\.0\/+invoke\/+([^/]+)\/+method(\/.*)?$/s;

/** `requestTarget` and header values are byte strings, one character per byte. A fragment is no part of a target. */
export function readInvocation(
  requestTarget: string,
  headers: Headers,
  ownNamespace: Namespace,
): Result<Invocation, Fault> {
  const { path, query } = splitTarget(requestTarget);
  const named = namedTarget(path, headers);
  if (!named.ok) return named;
  const target = parseTarget(named.value.target, ownNamespace);
  if (!target.ok) return err(fault('bad-request', `${target.error}.`));
  const canonical = canonicalPath(named.value.path);
  if (!canonical.ok) return err(fault('bad-request', `${canonical.error}; nothing was called.`));
  return ok({ target: target.value, path: canonical.value, query });
}

function namedTarget(path: string, headers: Headers): Result<{ target: string; path: string }, Fault> {
  const ids = [...headerValues(headers, 'dapr-app-id'), ...headerValues(headers, 'invoke-app-id')];
  const [id] = ids;
  if (ids.some((other) => other !== id))
    return err(fault('bad-request', 'the headers name more than one app id; send one.'));
  const target = id ?? basicAuthTarget(headers);
  if (target !== undefined) return ok({ target: target.trim(), path });

  const match = URL_FORM.exec(path);
  if (match === null) {
    return err(
      fault(
        'no-target',
        'the request names no app: use /v1.0/invoke/<app>[.<namespace>]/method/<path>, or send any path with the header dapr-app-id.',
      ),
    );
  }
  return ok({ target: decodeTarget(match[1] ?? ''), path: match[2] ?? '/' });
}

/** The user name is fixed, in any letter case; exactly one colon, so the password is the target. */
function basicAuthTarget(headers: Headers): string | undefined {
  const credentials = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(headerValue(headers, 'authorization') ?? '')?.[1];
  if (credentials === undefined) return undefined;
  const [user, target, ...rest] = Buffer.from(credentials, 'base64').toString('latin1').split(':');
  const isOurs = rest.length === 0 && /^(dapr|invoke)-app-id$/i.test(user ?? '');
  return isOurs ? target : undefined;
}

function decodeTarget(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Of a request target in origin-form, or in the absolute form of a program that takes the sidecar for a proxy. */
export function splitTarget(requestTarget: string): { path: string; query: string } {
  const origin = requestTarget.startsWith('/') ? requestTarget : requestTarget.replace(/^[a-z]+:\/\/[^/?]*/i, '');
  const mark = origin.indexOf('?');
  return mark < 0 ? { path: origin, query: '' } : { path: origin.slice(0, mark), query: origin.slice(mark + 1) };
}
