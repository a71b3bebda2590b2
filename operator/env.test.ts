// What the operator reads from its environment, and what it says when that cannot be used.
import { describe, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { readConfig } from './env.ts';

const GIVEN = {
  INVOKE_NAMESPACE: 'invoke-system',
  POD_NAME: 'invoke-operator-abc',
  INVOKE_TRUST_DOMAIN: 'cluster.local',
  INVOKE_CLUSTER_DOMAIN: 'cluster.local',
  INVOKE_MUTATING_WEBHOOK: 'invoke',
  INVOKE_VALIDATING_WEBHOOK: 'invoke',
  INVOKE_SIDECAR_IMAGE: 'invoke/sidecar:1',
};

describe('the environment', () => {
  test('needs no more than what only the chart can know', () => {
    const config = must(readConfig(GIVEN));
    expect(config.ports).toEqual({ webhook: 9443, feed: 50003, health: 8080, metrics: 9090 });
    expect(config.sidecar).toEqual({ image: 'invoke/sidecar:1', imagePullPolicy: 'IfNotPresent', defaults: {} });
    expect(config.log).toEqual({ level: 'info', format: 'json' });
  });

  test('overrides every default', () => {
    const config = must(
      readConfig({
        ...GIVEN,
        INVOKE_SIDECAR_IMAGE_PULL_POLICY: 'Never',
        INVOKE_SIDECAR_DEFAULTS: '{"log-level":"debug"}',
        INVOKE_WEBHOOK_PORT: '1',
        INVOKE_FEED_PORT: '2',
        INVOKE_HEALTH_PORT: '3',
        INVOKE_METRICS_PORT: '65535',
        INVOKE_LOG_LEVEL: 'debug',
        INVOKE_LOG_FORMAT: 'text',
      }),
    );
    expect(config.ports).toEqual({ webhook: 1, feed: 2, health: 3, metrics: 65535 });
    expect(config.sidecar).toMatchObject({ imagePullPolicy: 'Never', defaults: { 'log-level': 'debug' } });
    expect(config.log).toEqual({ level: 'debug', format: 'text' });
  });

  test('is complained of whole, by name', () => {
    const read = readConfig({
      ...GIVEN,
      POD_NAME: '',
      INVOKE_TRUST_DOMAIN: 'Upper',
      INVOKE_FEED_PORT: '70000',
      INVOKE_SIDECAR_DEFAULTS: '["x"]',
    });
    expect(read.ok ? [] : read.error).toEqual([
      "POD_NAME is not set; the chart sets it in the operator's Deployment",
      expect.stringMatching(/^INVOKE_TRUST_DOMAIN cannot be used: "Upper" is not a trust domain/),
      expect.stringMatching(/^INVOKE_SIDECAR_DEFAULTS cannot be used: it has to be a JSON object of strings/),
      expect.stringMatching(/^INVOKE_FEED_PORT cannot be used: /),
    ]);
  });
});
