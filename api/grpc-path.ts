// Which methods of gRPC are proxied: `/package.Service/Method` and no other spelling, and nothing that is a sidecar's own.
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';
import { type Fault, fault } from './fault.ts';
import { type CanonicalPath, canonicalPath } from './path.ts';

/** Names of protobuf, so there is nothing in it to decode, to resolve or to read in two ways. */
const METHOD_PATH = /^\/[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\/[A-Za-z_]\w*$/;

/**
 * What sidecars say to each other and to their own app, and what each server says of itself. An app may serve these, and
 * nobody but its own sidecar is to call them. In any letter case: some frameworks route without looking at it.
 */
const OWN_PACKAGES = /^\/(dapr\.proto|invoke|grpc\.health|grpc\.reflection)\./i;

/** `raw` is the `:path` of a request. */
export function grpcPath(raw: string): Result<CanonicalPath, Fault> {
  const path = METHOD_PATH.test(raw) ? canonicalPath(raw) : err('');
  if (!path.ok)
    return err(fault('unimplemented', `"${excerpt(raw)}" is no gRPC method; one is written /package.Service/Method.`));
  if (!OWN_PACKAGES.test(raw)) return ok(path.value);
  const message = `this sidecar does not serve ${excerpt(raw)}, and passes no call of that package on to an app; call services of the app's own.`;
  return err(fault('unimplemented', message));
}
