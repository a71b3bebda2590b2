// What the webhooks count: how long answers take and what they say, and when their certificates end.
import { type Family, Histogram, Numbers } from '../../kit/metrics.ts';
import { endOf, type WebhookCertificates } from './certificates.ts';

export type WebhookName = 'pods' | 'workloads' | 'annotations';

export interface WebhookMetrics {
  readonly families: readonly Family[];
  answered(webhook: WebhookName, outcome: string, tookMs: number): void;
  serving(certificates: WebhookCertificates): void;
}

const BOUNDS_SEC = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function webhookMetrics(): WebhookMetrics {
  const duration = new Histogram(
    'invoke_webhook_duration_seconds',
    'From a request of the API server to our answer.',
    ['webhook', 'outcome'],
    BOUNDS_SEC,
  );
  const expiry = new Numbers(
    'gauge',
    'invoke_webhook_certificate_expiry_timestamp_seconds',
    'When a certificate of the webhooks ends; the operator replaces it at half of its life.',
    ['certificate'],
  );
  return {
    families: [duration, expiry],
    answered: (webhook, outcome, tookMs) => duration.observe(duration.slot(webhook, outcome), tookMs / 1000),
    serving({ authority, serving }) {
      expiry.set(expiry.slot('serving'), endOf(serving.certificate) / 1000);
      expiry.set(expiry.slot('authority'), endOf(authority.certificate) / 1000);
    },
  };
}
