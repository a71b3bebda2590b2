// What the operator holds of each part that listens: the webhooks and the feed are started, asked and stopped alike.
import type { Family } from '../kit/metrics.ts';

export interface ServingPart {
  /** As bound. */
  readonly port: number;
  /** Its metrics. */
  readonly families: readonly Family[];
  /** Why it cannot serve now, in a sentence; undefined when it can. */
  unready(): string | undefined;
  /** Takes no more; settles when its port is free. */
  stop(): Promise<void>;
}
