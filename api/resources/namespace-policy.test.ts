// What a NamespacePolicy says to the webhook.
import { expect, test } from 'vitest';
import { SERVED } from '../annotation-table.ts';
import { isInjectionEnabled, type NamespacePolicy, readNamespacePolicy, sidecarDefaults } from './namespace-policy.ts';
import { createdMs } from './object.ts';

function policy(spec: object): NamespacePolicy {
  const read = readNamespacePolicy(spec);
  if (!read.ok) throw new Error(read.error.join('; '));
  return { metadata: { name: 'shop' }, spec: read.value };
}

const EVERYTHING = {
  resources: { requests: { cpu: 2, memory: '64Mi' }, limits: { cpu: '2500m', memory: '1Gi' } },
  logLevel: 'warn',
  logFormat: 'text',
  maxBodySize: 0,
  gracefulShutdownSeconds: 3600,
  metrics: { enabled: false, port: 9191 },
};

test('its defaults are those annotations that a pod could have', () => {
  expect(sidecarDefaults(policy({ sidecar: EVERYTHING }))).toEqual({
    'sidecar-cpu-request': '2',
    'sidecar-memory-request': '64Mi',
    'sidecar-cpu-limit': '2500m',
    'sidecar-memory-limit': '1Gi',
    'log-level': 'warn',
    'log-as-json': 'false',
    'max-body-size': '0',
    'graceful-shutdown-seconds': '3600',
    'enable-metrics': 'false',
    'metrics-port': '9191',
  });
});

test('every default that it can give is one that the webhook can read', () => {
  for (const [key, text] of Object.entries(sidecarDefaults(policy({ sidecar: EVERYTHING })))) {
    const annotation = Object.values(SERVED).find((served) => served.key === key);
    expect(annotation?.parse(text), key).toMatchObject({ ok: true });
  }
});

test("what it does not say is nobody's default", () => {
  expect(sidecarDefaults(policy({ sidecar: { logLevel: 'info' } }))).toEqual({ 'log-level': 'info' });
  expect(sidecarDefaults(policy({}))).toEqual({});
  expect(sidecarDefaults(undefined)).toEqual({});
});

test('pods may be meshed unless it says that they may not', () => {
  expect(isInjectionEnabled(undefined)).toBe(true);
  expect(isInjectionEnabled(policy({}))).toBe(true);
  expect(isInjectionEnabled(policy({ injection: {} }))).toBe(true);
  expect(isInjectionEnabled(policy({ injection: { enabled: false } }))).toBe(false);
});

test('the time of its making is read as a date and as JSON has it', () => {
  const creationTimestamp = new Date('2026-01-02T03:04:05Z');
  const fromJson = JSON.parse(JSON.stringify({ name: 'shop', creationTimestamp }));
  expect(createdMs({ name: 'shop', creationTimestamp })).toBe(1767323045000);
  expect(createdMs(fromJson)).toBe(1767323045000);
});
