// Named endpoints out of resource files: of our kind, and of Dapr's of the same name.

import { isEndpointName } from '../../api/external.ts';
import { endpointScopes, type HttpEndpoint, readHttpEndpoint } from '../../api/http-endpoint.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { ResourceDocument } from './documents.ts';

export interface LoadedEndpoint {
  readonly endpoint: HttpEndpoint;
  /** Apps that may use it; undefined: all. */
  readonly scopes: readonly string[] | undefined;
}

/** Or everything that is wrong with it. */
export async function readEndpoint(
  { name, content }: ResourceDocument,
  isDaprs: boolean,
): Promise<Result<LoadedEndpoint, readonly string[]>> {
  if (!isEndpointName(name)) {
    return err(['the name of an endpoint has lower-case letters, digits and dashes, and at most 63 characters']);
  }
  // The schemas are a large library, and most folders hold no endpoint.
  const { readDaprEndpoint, readHttpEndpointSpec } = await import('../../api/resources/http-endpoint.ts');
  const spec = isDaprs ? readDaprEndpoint(content) : readHttpEndpointSpec(specOf(content));
  if (!spec.ok) return spec;
  const endpoint = readHttpEndpoint(name, spec.value);
  return endpoint.ok ? ok({ endpoint: endpoint.value, scopes: endpointScopes(spec.value) }) : endpoint;
}

function specOf(content: unknown): unknown {
  return typeof content === 'object' && content !== null && 'spec' in content ? content.spec : undefined;
}
