// docs/annotations.md: what can be written on a pod, from the table that the webhook reads by.
import { SERVED, type ServedAnnotation } from '../../api/annotation-table.ts';
import { UNSERVED } from '../../api/annotation-unserved.ts';
import { COPIED_KEY, GROUP } from '../../api/pod.ts';

export const ANNOTATIONS_PATH = 'docs/annotations.md';

/** The text of that file. */
export function generateAnnotations(): string {
  return `<!-- Generated from api/annotation-table.ts by \`npm run generate\`. -->
# Annotations

Write them on a pod template; or on the Deployment, StatefulSet, DaemonSet, CronJob or Job itself, from where Invoke copies them
to the template (a Job's only when it is made). It notes there, in \`${COPIED_KEY}\`, what it copied; what the template says in its
own right wins. A value that cannot be used is refused when it is applied, and so is an annotation that is not here.

\`${GROUP}/app-id\` meshes a pod. The others say how. Where a pod says nothing, the \`sidecar\` part of its namespace's
NamespacePolicy holds, then \`sidecar.defaults\` of the [chart's values](values.md), then the default below.

| Annotation | Value | Default | Meaning |
|---|---|---|---|
${Object.values<ServedAnnotation>(SERVED).map(servedRow).join('\n')}

Marked *restricted* are those that change what runs in the pod or what is trusted. They are refused unless the namespace's
NamespacePolicy lists them in \`allowedAnnotations\`.

## Ports

A sidecar takes five ports of its pod, which the app cannot use: a container that declares one of them is refused, and the message
names the annotation that moves the sidecar's. A pod on the host's network shares the ports and the loopback address of its node
with others, so it has to name all five ports, a Secret for \`${GROUP}/api-token-secret\`, and, if it has an app port, one for
\`${GROUP}/app-token-secret\`. Give it \`dnsPolicy: ClusterFirstWithHostNet\`, too.

## Coming from Dapr

The annotations have Dapr's names, so a change of prefix carries a manifest over. What is not served is not passed over in
silence: of these, only the value shown is taken.

| Annotation | Taken | Otherwise |
|---|---|---|
${UNSERVED.map(({ key, takes, because }) => `| \`${GROUP}/${key}\` | ${listed(takes)} | ${because} |`).join('\n')}
`;
}

function servedRow({ key, value, initially, help, restricted }: ServedAnnotation): string {
  const mark =
    restricted === undefined ? '' : `; *restricted*${restricted.when === 'always' ? '' : ` ${restricted.when}`}`;
  return `| \`${GROUP}/${key}\` | ${value} | ${initially === undefined ? '' : `\`${initially}\``} | ${help}${mark} |`;
}

function listed(values: readonly string[]): string {
  const shown = values.filter((value) => value !== '').map((value) => `\`${value}\``);
  return shown.length === 0 ? 'none' : shown.join(', ');
}
