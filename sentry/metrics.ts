// What a sentry in the cluster counts, for Prometheus.
import { Histogram, Numbers, renderMetrics } from '../kit/metrics.ts';
import type { ReplicaState } from './authority/replica.ts';
import type { Signer } from './authority/signer.ts';
import type { Outcome } from './ca.ts';

export interface SentryMetrics {
  request(outcome: Outcome, durationMs: number): void;
  authority(state: ReplicaState): void;
  leader(isLeader: boolean): void;
  render(): string;
}

const DURATION_BOUNDS_SEC = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createSentryMetrics(): SentryMetrics {
  const issued = new Numbers('counter', 'invoke_sentry_certificates_issued_total', 'Certificates issued to workloads.');
  const refused = new Numbers('counter', 'invoke_sentry_requests_refused_total', 'Requests refused, by reason.', [
    'reason',
  ]);
  const durations = new Histogram(
    'invoke_sentry_request_duration_seconds',
    'From a request to its certificate or refusal.',
    ['result'],
    DURATION_BOUNDS_SEC,
  );
  const expiry = new Numbers(
    'gauge',
    'invoke_sentry_certificate_expiry_timestamp_seconds',
    'When the certificates that sign now end.',
    ['certificate'],
  );
  const loaded = new Numbers('gauge', 'invoke_sentry_authority_loaded', '1 where there is an authority to sign with.');
  const troubled = new Numbers(
    'gauge',
    'invoke_sentry_authority_troubled',
    '1 where the state of the authority could not be read or used at the last look; the log says why.',
  );
  const leads = new Numbers('gauge', 'invoke_sentry_leader', '1 on the replica that renews the issuer.');
  const families = [issued, refused, durations, expiry, loaded, troubled, leads];
  const sole = { issued: issued.slot(), loaded: loaded.slot(), troubled: troubled.slot(), leads: leads.slot() };
  return {
    request(outcome, durationMs) {
      if (outcome === 'issued') issued.add(sole.issued, 1);
      else refused.add(refused.slot(outcome), 1);
      durations.observe(durations.slot(outcome === 'issued' ? 'issued' : 'refused'), durationMs / 1000);
    },
    authority(state) {
      const isHeld = state.kind === 'held';
      loaded.set(sole.loaded, isHeld ? 1 : 0);
      troubled.set(sole.troubled, isHeld && state.problem === undefined ? 0 : 1);
      if (!isHeld) return;
      expiry.set(expiry.slot('root'), endSec(state.state.root.active));
      expiry.set(expiry.slot('issuer'), endSec(state.state.issuer.active));
    },
    leader: (isLeader) => leads.set(sole.leads, isLeader ? 1 : 0),
    render: () => renderMetrics(families),
  };
}

function endSec({ certificate }: Signer): number {
  return certificate.validToDate.getTime() / 1000;
}
