// What a resource of ours says of itself: conditions, exactly as Kubernetes has them (metav1.Condition).
import * as z from 'zod';

export const condition = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.int().min(0).optional(),
  lastTransitionTime: z.string(),
  reason: z.string(),
  message: z.string(),
});

export const status = z.object({
  observedGeneration: z.int().min(0).optional(),
  conditions: z.array(condition).optional(),
});

export type Condition = z.output<typeof condition>;
export type Status = z.output<typeof status>;
