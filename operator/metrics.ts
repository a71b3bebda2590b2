// The metrics page of a replica: what its parts count, and how fresh its stores are at the moment of asking.
import { type Family, METRICS_CONTENT_TYPE, Numbers, renderMetrics } from '../kit/metrics.ts';
import type { Page } from '../kit/pages.ts';
import { namedStores } from './health.ts';
import type { Stores } from './stores.ts';

/** `expiresAtMs`: when the operator's own certificate ends; undefined until there is one. */
export function metricsPage(
  stores: Stores,
  parts: readonly (readonly Family[])[],
  expiresAtMs: () => number | undefined,
): () => Page {
  const staleness = new Numbers(
    'gauge',
    'invoke_operator_store_staleness_seconds',
    'How long ago the API server was last heard of about this kind.',
    ['store'],
  );
  const objects = new Numbers('gauge', 'invoke_operator_store_objects', 'Objects of this kind in memory.', ['store']);
  const certificate = new Numbers(
    'gauge',
    'invoke_operator_certificate_expiry_timestamp_seconds',
    'When the certificate in use ends with which sidecars are served.',
  );
  return () => {
    for (const [name, store] of namedStores(stores)) {
      staleness.set(staleness.slot(name), store.staleMs() / 1000);
      objects.set(objects.slot(name), store.all().length);
    }
    const expiry = expiresAtMs();
    if (expiry !== undefined) certificate.set(certificate.slot(), expiry / 1000);
    const body = renderMetrics([...parts.flat(), staleness, objects, certificate]);
    return { status: 200, contentType: METRICS_CONTENT_TYPE, body };
  };
}
