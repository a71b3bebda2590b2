// What the chart sets, and what is said of a mistake in it.
import { expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { readConfig } from './env.ts';

const POD = { INVOKE_NAMESPACE: 'invoke-system', POD_NAME: 'invoke-sentry-7d9f-x2x' };

test('a pod that says where it is and who it is gets the defaults for the rest', () => {
  expect(must(readConfig(POD))).toEqual({
    namespace: 'invoke-system',
    replica: 'invoke-sentry-7d9f-x2x',
    trustDomain: 'cluster.local',
    caSecret: 'invoke-ca',
    workloadCertTtlMs: 24 * 3_600_000,
    ports: { sentry: 50001, health: 8080, metrics: 9090 },
    log: { level: 'info', format: 'json' },
    kubeconfig: undefined,
  });
});

test('an empty variable is one that was left out', () => {
  const blank = { INVOKE_TRUST_DOMAIN: '', INVOKE_LOG_LEVEL: '', KUBECONFIG: '' };
  expect(readConfig({ ...POD, ...blank })).toEqual(readConfig(POD));
});

test('every mistake is named at once, with its variable', () => {
  const wrong = {
    INVOKE_TRUST_DOMAIN: 'Cluster Local',
    INVOKE_CA_SECRET: 'invoke/ca',
    INVOKE_WORKLOAD_CERT_TTL: '9s',
    INVOKE_SENTRY_PORT: '70000',
    INVOKE_HEALTH_PORT: 'http',
    INVOKE_METRICS_PORT: '-1',
    INVOKE_LOG_LEVEL: 'loud',
    INVOKE_LOG_FORMAT: 'xml',
  };
  const mistakes = readConfig(wrong);
  const names = mistakes.ok ? [] : mistakes.error.map((mistake) => mistake.replace(/ .*/, ''));
  expect(names).toEqual(['INVOKE_NAMESPACE', 'POD_NAME', ...Object.keys(wrong)]);
});
