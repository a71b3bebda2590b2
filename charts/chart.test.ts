// The chart says the same as the programs that it starts. Read as text, so that no Helm is needed; what it renders is checked
// where the suites on a cluster run (e2e/kubernetes).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { SERVED } from '../api/annotation-table.ts';
import { parseNamespace, parseTrustDomain } from '../api/ids.ts';
import {
  APP_ID_KEY,
  CONTROL_PLANE_PORTS,
  METRICS_PORT_NAME,
  OPERATOR,
  OWNER_CLUSTER_ROLE,
  PATHS,
  SENTRY,
  SIDECAR_UID,
  sentryAudience,
  TRUST_BUNDLE,
} from '../api/pod.ts';
import { must } from '../kit/result.ts';
import { MUTATING_ENTRIES } from '../operator/webhook/conditions.ts';
import packageJson from '../package.json' with { type: 'json' };
import { chartValues } from '../scripts/generate/values.ts';
import { PART_NAMES } from '../scripts/images/bundle.ts';

const ROOT = join(import.meta.dirname, '..');
const CHART = join(import.meta.dirname, 'invoke');
const text = (path: string) => readFileSync(join(CHART, path), 'utf8');
const source = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const all = (pattern: RegExp, within: string) => new Set([...within.matchAll(pattern)].map(([, found = '']) => found));

const templates = readdirSync(join(CHART, 'templates'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(yaml|tpl|txt)$/.test(path))
  .map((path) => ({ path, text: text(join('templates', path)) }));

test('nothing in a template is random, or differs from one rendering to the next', () => {
  const drifting =
    /\b(rand(Alpha|Numeric|Ascii|Bytes|Int)\w*|uuidv4|gen(CA|Cert|PrivateKey|Signed\w+|SelfSigned\w+)|lookup|now|derivePassword|htpasswd|bcrypt)\b/;
  const code = templates.map(({ path, text }) => ({ path, actions: text.match(/\{\{.*?\}\}/gs) ?? [] }));
  const found = code.filter(({ actions }) =>
    actions.some((action) => !action.includes('/*') && drifting.test(action.replaceAll(/"[^"]*"/g, ''))),
  );
  expect(found.map(({ path }) => path)).toEqual([]);
});

test('the chart and the package have one version', () => {
  const chart = z.object({ version: z.string(), appVersion: z.string() }).parse(load(text('Chart.yaml')));
  expect(chart).toEqual({ version: packageJson.version, appVersion: packageJson.version });
});

describe('the environment', () => {
  const common = text('templates/_pods.tpl');

  test.each([
    [
      'operator',
      'operator/env.ts',
      ['INVOKE_WEBHOOK_PORT', 'INVOKE_FEED_PORT', 'INVOKE_HEALTH_PORT', 'INVOKE_METRICS_PORT'],
    ],
    ['sentry', 'sentry/env.ts', ['INVOKE_SENTRY_PORT', 'INVOKE_HEALTH_PORT', 'INVOKE_METRICS_PORT']],
  ])('of the %s is what its program reads', (part, program, leftToDefault) => {
    const set = all(/^\s*- name: ((?:INVOKE|POD)_\w+)$/gm, common + text(`templates/${part}/deployment.yaml`));
    const read = all(/\b(INVOKE_[A-Z_]+|POD_NAME)\b/g, source(program));
    expect([...set, ...leftToDefault].toSorted()).toEqual([...read].toSorted());
  });
});

test('Kubernetes adds no variables of its own for our Services, such as INVOKE_SENTRY_PORT', () => {
  expect(text('templates/_pods.tpl')).toContain('enableServiceLinks: false\n');
});

describe('names and ports', () => {
  test.each([
    [
      'sentry',
      { sentry: CONTROL_PLANE_PORTS.sentry, health: CONTROL_PLANE_PORTS.health, metrics: CONTROL_PLANE_PORTS.metrics },
    ],
    [
      'operator',
      {
        webhook: CONTROL_PLANE_PORTS.webhook,
        feed: CONTROL_PLANE_PORTS.feed,
        health: CONTROL_PLANE_PORTS.health,
        metrics: CONTROL_PLANE_PORTS.metrics,
      },
    ],
  ])('the %s is reached where it listens', (part, ports) => {
    const container = text(`templates/${part}/deployment.yaml`).matchAll(/\{ name: (\w+), containerPort: (\d+) \}/g);
    expect(Object.fromEntries([...container].map(([, name, port]) => [name, Number(port)]))).toEqual(ports);
    const service = [...text(`templates/${part}/service.yaml`).matchAll(/port: (\d+), targetPort: (\w+)/g)];
    for (const [, port, target = ''] of service) {
      // The API server's default for a webhook, whatever the pod listens on.
      expect([target, Number(port)]).toEqual([target, target === 'webhook' ? 443 : Object(ports)[target]]);
    }
  });

  test("the operator's token is for the sentry, where the programs look for it", () => {
    const deployment = text('templates/operator/deployment.yaml');
    const [trustDomain, namespace] = [must(parseTrustDomain('trust')), must(parseNamespace('here'))];
    const audience = sentryAudience(trustDomain, namespace)
      .replace('trust', '{{ .Values.trustDomain }}')
      .replace('here', '{{ .Release.Namespace }}');
    expect(deployment).toContain(`audience: ${audience}\n`);
    expect(deployment).toContain(`mountPath: ${PATHS.tokenDirectory},`);
    expect(`${PATHS.tokenDirectory}/token`).toBe(PATHS.token);
  });

  test('what the programs look for by name is there', () => {
    const names = all(/^ {2}name: ([-\w]+)$/gm, templates.map((template) => template.text).join('\n'));
    for (const name of [SENTRY, OPERATOR, OWNER_CLUSTER_ROLE, TRUST_BUNDLE, 'invoke-ca']) expect(names).toContain(name);
  });

  test('sidecars are scraped at the port that the webhook names', () => {
    expect(text('templates/monitoring.yaml')).toContain(`- port: ${METRICS_PORT_NAME}\n`);
  });

  test("pods are judged by the webhook's own exceptions, and by the annotation that it reads", () => {
    const policy = text('templates/admission/pods.yaml');
    const exceptions = MUTATING_ENTRIES[0]?.matchConditions.map(({ name }) => name);
    // A new exception has to be one of the policy's, too: `isInjected` lists them.
    expect(exceptions).toEqual(['annotated', 'not-mirror', 'not-windows']);
    expect(policy).toContain("'kubernetes.io/config.mirror' in variables.annotations");
    expect(policy).toContain("object.?spec.?os.?name.orValue('') != 'windows'");
    expect(all(/'(invoke\.io\/[-\w]+)'/g, policy)).toEqual(new Set([APP_ID_KEY]));
  });

  test('images and control plane run as one user', () => {
    expect(source('Dockerfile')).toContain(`USER ${SIDECAR_UID}:${SIDECAR_UID}\n`);
    expect(text('templates/_pods.tpl')).toContain(`runAsUser: ${SIDECAR_UID}\n`);
  });

  test('each image may be pinned by its digest', () => {
    const pinned = chartValues().flatMap(({ path }) => /^image\.digest\.(.*)$/.exec(path)?.[1] ?? []);
    expect(pinned.toSorted()).toEqual([...PART_NAMES].toSorted());
  });
});

test('every annotation but the app id can have a default', () => {
  const schema = z.looseObject({
    properties: z.looseObject({
      sidecar: z.looseObject({
        properties: z.looseObject({
          defaults: z.looseObject({ propertyNames: z.object({ enum: z.array(z.string()) }) }),
        }),
      }),
    }),
  });
  const { defaults } = schema.parse(JSON.parse(text('values.schema.json'))).properties.sidecar.properties;
  const keys = Object.values(SERVED).map(({ key }) => key);
  expect(defaults.propertyNames.enum).toEqual(keys.filter((key) => key !== SERVED.appId.key));
});

describe('the values', () => {
  const schema = z.fromJSONSchema(JSON.parse(text('values.schema.json')));
  const defaults = () => z.looseObject({}).parse(load(text('values.yaml')));

  test('by default are what the schema takes', () => {
    expect(schema.safeParse(defaults()).error).toBeUndefined();
  });

  test.each([
    ['a name that is none', { imagee: {} }],
    ['a name within that is none', { image: { tagg: 'x' } }],
    ['a trust domain in capitals', { trustDomain: 'Cluster.Local' }],
    ['a default for no annotation', { sidecar: { defaults: { 'log-levle': 'debug' } } }],
    ['a fraction, which is text in an annotation', { sidecar: { defaults: { 'sidecar-cpu-limit': 0.5 } } }],
    ['a digest that is cut off', { image: { digest: { sentry: 'sha256:abc' } } }],
    ['no replicas', { sentry: { replicas: 0 } }],
    ['a life of no unit', { ca: { workloadCertTtl: '24' } }],
  ])('are refused with %s', (_, values) => {
    expect(schema.safeParse({ ...defaults(), ...values }).success).toBe(false);
  });

  test('have a meaning and a default, all of them', () => {
    const bare = chartValues().filter(({ schema, byDefault }) => !schema.description || byDefault === undefined);
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  test('are used by a template, all of them', () => {
    const used = templates.map((template) => template.text).join('\n');
    const last = (path: string) => path.split('.').at(-1) ?? '';
    const unused = chartValues().filter(({ path }) => !new RegExp(`\\.${last(path)}\\b|\\.digest \\.part`).test(used));
    expect(unused.map(({ path }) => path)).toEqual([]);
  });
});
