// What a resource of ours says of itself: conditions, exactly as Kubernetes has them (metav1.Condition).
import * as z from 'zod';

const generation = (description: string) => z.int().min(0).optional().meta({ description, format: 'int64' });

const condition = z
  .object({
    type: z
      .string()
      .max(316)
      .regex(
        /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/,
      )
      .meta({ description: 'What the condition is about, such as Accepted.' }),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether it holds.' }),
    observedGeneration: generation('The metadata.generation that was looked at.'),
    lastTransitionTime: z.string().max(64).meta({ description: 'When the status last changed.', format: 'date-time' }),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .meta({ description: 'Why, in one word for programs.' }),
    message: z.string().max(32_768).meta({ description: 'Why, in a sentence for people.' }),
  })
  .meta({ description: 'One aspect of the state of the object.' });

const SAID_BY_OPERATOR = { description: 'What the operator says of the object. Nobody else writes it.' };

export const status = z
  .object({
    observedGeneration: generation('The metadata.generation that the operator looked at last.'),
    conditions: z
      .array(condition)
      .max(16)
      .optional()
      .meta({
        description: 'Accepted: it can be used as it is. Programmed: it is handed out to sidecars.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      }),
  })
  .meta(SAID_BY_OPERATOR);

const time = (description: string) => z.string().max(64).meta({ description, format: 'date-time' });
const words = (description: string, max: number) => z.string().max(max).meta({ description });

/** Of an AccessPolicy, which can be tried. */
export const statusWithAudit = status
  .extend({
    audit: z
      .object({
        sinceTime: time('Since when calls are counted: this version of the policy was seen then.'),
        deniedCount: z
          .int()
          .min(0)
          .meta({ description: 'Calls that it would have denied, as far as sidecars told.', format: 'int64' }),
        lastDeniedTime: time('When the last of them came.').optional(),
        example: z
          .object({
            caller: words('Who called: an app and its namespace; a SPIFFE ID for another trust domain.', 512),
            app: words('The app that was called.', 63),
            operation: words('What was called, such as GET /orders/7.', 512),
            deniedBy: words('The rule, or the default, that would have denied it.', 512),
          })
          .optional()
          .meta({ description: 'One of the last ones.' }),
      })
      .optional()
      .meta({
        description:
          'What the policy, in audit mode, would have denied; the condition WouldDeny says whether there was anything.',
      }),
  })
  .meta(SAID_BY_OPERATOR);

export type StatusWithAudit = z.output<typeof statusWithAudit>;
export type Condition = z.output<typeof condition>;
export type Status = z.output<typeof status>;
