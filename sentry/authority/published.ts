// The trust anchors as everybody finds them: a ConfigMap in our namespace, from which the operator copies.
import type { Namespace } from '../../api/ids.ts';
import { TRUST_BUNDLE, TRUST_BUNDLE_KEY } from '../../api/pod.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Kube } from '../../kube/kube.ts';
import { CONFIG_MAPS } from '../../kube/types.ts';

/** Failures are sentences. No method rejects. */
export interface PublishedAnchors {
  /** For messages. */
  readonly name: string;
  /** PEM; undefined: nothing was published, or it was deleted. */
  read(): Promise<Result<string | undefined>>;
  write(anchorsPem: string): Promise<Result<undefined>>;
}

export function publishedAnchors(kube: Pick<Kube, 'get' | 'apply'>, namespace: Namespace): PublishedAnchors {
  const name = `the ConfigMap ${namespace}/${TRUST_BUNDLE}`;
  return {
    name,
    async read() {
      const read = await kube.get(CONFIG_MAPS, TRUST_BUNDLE, namespace);
      if (read.ok) return ok(read.value.data?.[TRUST_BUNDLE_KEY] || undefined);
      return read.error.kind === 'not-found' ? ok(undefined) : err(`${name} cannot be read: ${read.error.message}`);
    },
    async write(anchorsPem) {
      const metadata = { name: TRUST_BUNDLE, namespace };
      const applied = await kube.apply(CONFIG_MAPS, { metadata, data: { [TRUST_BUNDLE_KEY]: anchorsPem } });
      return applied.ok ? ok(undefined) : err(`${name} cannot be written: ${applied.error.message}`);
    },
  };
}
