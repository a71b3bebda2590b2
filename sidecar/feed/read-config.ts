// From the message to the config that the rest of the sidecar sees: all of it can be read, and it is not older than the last.
import type { FeedConfigMessage, FeedResource } from '../../api/proto/feed.ts';
import { readCertificates } from '../../identity/chain.ts';
import type { TrustAnchors } from '../../identity/svid.ts';
import { parseJson } from '../../kit/json.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { ConfigResource, FeedConfig } from './feed.ts';

/** Or what is wrong with it: half a config is none. */
export function readConfig(epoch: number, message: FeedConfigMessage): Result<FeedConfig> {
  const trustAnchors = readAnchors(message.trustAnchors);
  if (!trustAnchors.ok) return trustAnchors;
  const resources: ConfigResource[] = [];
  for (const resource of message.resources) {
    const spec = readSpec(resource);
    if (!spec.ok) return spec;
    resources.push({ ...resource, spec: spec.value });
  }
  const versions = new Map(message.versions.map(({ kind, version }) => [kind, version]));
  const { barredNamespaces, defaultAccess } = message;
  return ok({ epoch, versions, trustAnchors: trustAnchors.value, resources, barredNamespaces, defaultAccess });
}

/** Why `next` must not take the place of `held`; undefined when it may. */
export function olderThan(held: FeedConfig, next: FeedConfig): string | undefined {
  if (next.epoch > held.epoch) return undefined;
  if (next.epoch < held.epoch) return `its epoch is ${next.epoch}, and we have had ${held.epoch}`;
  for (const [kind, heldVersion] of held.versions) {
    // A kind that an operator does not know says nothing about age.
    const version = next.versions.get(kind) ?? heldVersion;
    if (version < heldVersion) return `its version of ${kind} is ${version}, and we have had ${heldVersion}`;
  }
  return undefined;
}

/** Each certificate by itself. */
function readAnchors(pem: Buffer): Result<TrustAnchors> {
  const certificates = readCertificates(pem.toString('latin1'));
  if (!certificates.ok) return err(`its trust anchors cannot be used: ${certificates.error}`);
  return ok(certificates.value.map((certificate) => certificate.toString()));
}

function readSpec({ kind, namespace, name, spec }: FeedResource): Result<unknown> {
  const json = parseJson(spec.toString('utf8'));
  return json.ok ? json : err(`the ${kind} ${namespace}/${name} in it is no JSON: ${json.error}`);
}
