// The chart's copy of when the webhooks are called: from operator/webhook/conditions.ts, so that there is one source.
import { dump } from 'js-yaml';
import { MUTATING_ENTRIES, VALIDATING_ENTRIES } from '../../operator/webhook/conditions.ts';

export const WEBHOOKS_PATH = 'charts/invoke/files/webhooks.yaml';

/** The text of that file. */
export function generateWebhooks(): string {
  const entries = { mutating: MUTATING_ENTRIES, validating: VALIDATING_ENTRIES };
  return `# Generated from operator/webhook/conditions.ts by \`npm run generate\`; templates/admission/webhooks.yaml reads it.\n${dump(entries, { lineWidth: 120, noRefs: true })}`;
}
