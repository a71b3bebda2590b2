// Every generated file of the checkout: where it is, and what it says.
import { RESOURCE_KINDS } from '../../api/resources/crd.ts';
import { ANNOTATIONS_PATH, generateAnnotations } from './annotations.ts';
import { CHART_CRDS_PATH, chartCrds, crdPath, crdText } from './crds.ts';
import { DESCRIPTORS_PATH, generateDescriptors } from './descriptors.ts';
import { generateResources, RESOURCES_PATH } from './resources.ts';
import { generateValues, VALUES_PATH } from './values.ts';
import { generateWebhooks, WEBHOOKS_PATH } from './webhooks.ts';

export interface Generated {
  /** From the root of the checkout. */
  readonly path: string;
  readonly text: () => string;
}

export const GENERATED: readonly Generated[] = [
  { path: ANNOTATIONS_PATH, text: generateAnnotations },
  ...RESOURCE_KINDS.map((kind) => ({ path: crdPath(kind), text: () => crdText(kind) })),
  { path: CHART_CRDS_PATH, text: chartCrds },
  { path: DESCRIPTORS_PATH, text: generateDescriptors },
  { path: RESOURCES_PATH, text: generateResources },
  { path: VALUES_PATH, text: generateValues },
  { path: WEBHOOKS_PATH, text: generateWebhooks },
];
