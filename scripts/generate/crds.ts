// The CustomResourceDefinitions as YAML: one file each for kubectl, and all of them as a template of the chart, because Helm
// never upgrades what is in a chart's own `crds` folder.
import { dump } from 'js-yaml';
import { GROUP } from '../../api/pod.ts';
import { customResourceDefinition, RESOURCE_KINDS, type ResourceKind } from '../../api/resources/crd.ts';

export const CHART_CRDS_PATH = 'charts/invoke/templates/crds.yaml';
const NOTE = 'Generated from api/resources by `npm run generate`.';

export function crdPath({ plural }: ResourceKind): string {
  return `crds/${GROUP}_${plural}.yaml`;
}

export function crdText(kind: ResourceKind): string {
  return `# ${NOTE}\n${yaml(customResourceDefinition(kind))}`;
}

/** Kept at uninstall unless the values say otherwise: with a CRD, every object of its kind is deleted. */
export function chartCrds(): string {
  const documents = RESOURCE_KINDS.map((kind) => `---\n${template(crdText(kind))}`);
  return `{{- /* ${NOTE} */ -}}\n{{- if .Values.crds.enabled }}\n${documents.join('')}{{- end }}\n`;
}

function template(text: string): string {
  return literally(text).replace(/^metadata:\n/m, (line) => line + METADATA);
}

const METADATA = `  labels:
    {{- include "invoke.labels" (dict "root" $ "name" "invoke-crds") | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
`;

/** Text that Helm passes on as it is. */
function literally(text: string): string {
  return text.replaceAll('{{', '{{ "{{" }}');
}

function yaml(object: object): string {
  return dump(object, { lineWidth: 120, noRefs: true });
}
