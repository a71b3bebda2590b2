// Resource files: what stops the start, what is only mentioned, and where each was found.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { must } from '../../kit/result.ts';
import { loadResources } from './load.ts';

/** What is said about a folder of files, without the folder's own path. */
async function load(files: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), 'resources-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const loaded = await loadResources([directory]);
  const said = loaded.ok ? loaded.value.ignored : loaded.error;
  const endpoints = loaded.ok ? loaded.value.endpoints : [];
  return { ok: loaded.ok, endpoints, said: said.map((line) => line.replace(`${directory}/`, '')) };
}

const component = 'apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: store\n';

test('an empty folder, an empty file and files of other kinds are fine', async () => {
  expect(await load({})).toEqual({ ok: true, endpoints: [], said: [] });
  expect(await load({ 'a.yaml': '', 'b.yml': '# nothing\n---\n', 'c.txt': 'kind: [' })).toEqual({
    ok: true,
    endpoints: [],
    said: [],
  });
});

test("others' resources are ignored, with a line for each", async () => {
  expect(await load({ 'a.yaml': `${component}---\n# another\n${component}` })).toEqual({
    ok: true,
    endpoints: [],
    said: [
      'a.yaml:1: Component "store" is not one of ours (invoke.io); it is ignored',
      'a.yaml:7: Component "store" is not one of ours (invoke.io); it is ignored',
    ],
  });
});

describe('a Resiliency', () => {
  const ours = (name: string, spec: string) =>
    `apiVersion: invoke.io/v1alpha1\nkind: Resiliency\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
  const orders = '{ targets: { apps: { orders: {} } } }';

  test('of Dapr is read as it is, and what means nothing here is named', async () => {
    const daprs =
      'apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: { name: calls }\nscopes: [web]\n' +
      'spec: { policies: { timeouts: { short: 5s } }, targets: { apps: { orders: { timeout: short } }, actors: {} } }\n';
    const directory = mkdtempSync(join(tmpdir(), 'resources-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'a.yaml'), daprs);
    const loaded = must(await loadResources([directory]));
    expect(loaded.resiliencies).toEqual([
      { namespace: 'default', name: 'calls', createdMs: 0, spec: expect.objectContaining({ scopes: ['web'] }) },
    ]);
    expect(loaded.ignored).toEqual([
      'Resiliency "calls": targets.actors is left aside: calls between apps alone are made here',
    ]);
  });

  test('that makes no sense stops the start', async () => {
    const text = ours('mine', '{ targets: { apps: { orders: { retry: often } } } }');
    expect(await load({ 'a.yaml': text })).toMatchObject({
      ok: false,
      said: [expect.stringMatching(/^a.yaml:1: Resiliency "mine": .*names what policies.retries does not have/)],
    });
  });

  test('that contradicts another stops the start: files have no age', async () => {
    expect(await load({ 'a.yaml': ours('one', orders), 'b.yaml': ours('two', orders) })).toMatchObject({
      ok: false,
      said: [expect.stringContaining('Resiliency "two" and "one" of namespace default both say targets.apps[orders]')],
    });
  });
});

describe('policies', () => {
  const ours = (kind: string, metadata: string, spec: string) =>
    `apiVersion: invoke.io/v1alpha1\nkind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`;

  test('are read with their defaults, and where an AccessPolicy names no namespace it is default', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'resources-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const documents = [
      ours('AccessPolicy', '{ name: orders }', '{ apps: [orders] }'),
      ours('AccessPolicy', '{ name: orders, namespace: shop }', '{ mode: audit }'),
      ours('NamespacePolicy', '{ name: shop }', '{ callableFrom: [], externalHosts: [a.example] }'),
    ];
    writeFileSync(join(directory, 'a.yaml'), documents.join('---\n'));
    expect(await loadResources([directory])).toMatchObject({
      value: {
        policies: [
          { namespace: 'default', name: 'orders', spec: { apps: ['orders'], mode: 'enforce', default: 'deny' } },
          { namespace: 'shop', name: 'orders', spec: { mode: 'audit' } },
        ],
        fences: [{ namespace: 'shop', access: { callableFrom: [] } }],
      },
    });
  });

  test('that make no sense are told field by field; two of one name are one too many', async () => {
    const text = [
      ours('AccessPolicy', '{ name: a }', '{ rules: [{ name: b }], mode: harsh }'),
      ours('NamespacePolicy', '{ name: shop }', '{ callableFrom: all }'),
      ours('AccessPolicy', '{ name: c }', '{}'),
      ours('AccessPolicy', '{ name: c }', '{}'),
    ].join('---\n');
    const { ok, said } = await load({ 'a.yaml': text });
    expect(ok).toBe(false);
    expect(said).toEqual([
      expect.stringMatching(/^a.yaml:1: AccessPolicy "a": spec.mode/),
      expect.stringMatching(/^a.yaml:1: AccessPolicy "a": spec.rules/),
      expect.stringMatching(/^a.yaml:6: NamespacePolicy "shop": spec.callableFrom/),
      'a.yaml:16: there is another AccessPolicy "default/c"; name it otherwise',
    ]);
  });
});

test('a kind that we do not have is an error that names those we have', async () => {
  const text = 'apiVersion: invoke.io/v1alpha1\nkind: AcessPolicy\nmetadata: { name: mine }\n';
  expect((await load({ 'a.yaml': text })).said).toEqual([
    'a.yaml:1: "AcessPolicy" is not a kind of invoke.io; there are AccessPolicy, Resiliency, NamespacePolicy, HTTPEndpoint',
  ]);
});

test('a version that we do not have is an error that names ours; whatever others have', async () => {
  const of = (apiVersion: string) => `apiVersion: ${apiVersion}\nkind: AccessPolicy\nmetadata: { name: mine }\n`;
  expect((await load({ 'a.yaml': of('invoke.io/v1') })).said).toEqual([
    'a.yaml:1: there is no apiVersion "invoke.io/v1"; write invoke.io/v1alpha1',
  ]);
  expect((await load({ 'a.yaml': of('other.example/v7') })).ok).toBe(true);
});

test('everything that is wrong is said at once, with file and line', async () => {
  const { ok, said } = await load({
    'a.yaml': 'a: 1\nb: [\n',
    'b.yml': '\n\nkind: 7\n---\n- a list\n',
    'c.yaml': 'a: 1\na: 2\n',
  });
  expect(ok).toBe(false);
  expect(said).toEqual([
    expect.stringMatching(/^a\.yaml:3: it is not YAML: /),
    'b.yml:3: it has no apiVersion, such as invoke.io/v1alpha1',
    'b.yml:3: its kind is not a text, such as AccessPolicy',
    'b.yml:3: it has no metadata.name, which names the resource',
    'b.yml:5: it has no apiVersion, such as invoke.io/v1alpha1',
    'b.yml:5: it has no kind, such as AccessPolicy',
    'b.yml:5: it has no metadata.name, which names the resource',
    expect.stringMatching(/^c\.yaml:2: it is not YAML: duplicated mapping key/),
  ]);
});

test('a folder that is not there and a folder in place of a file are reasons', async () => {
  const missing = await loadResources(['/nowhere/at/all']);
  expect(missing).toEqual({
    ok: false,
    error: [expect.stringContaining('"/nowhere/at/all" cannot be read: it does not exist')],
  });
  const directory = mkdtempSync(join(tmpdir(), 'resources-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'a.yaml'));
  expect(await loadResources([directory])).toEqual({
    ok: false,
    error: [expect.stringContaining('a.yaml: cannot be read: it is a folder')],
  });
});

describe('an HTTPEndpoint', () => {
  const bank = {
    name: 'bank',
    origin: { scheme: 'https', host: 'bank.example', port: 443, authority: 'bank.example' },
    basePath: '/v3',
    headers: [
      { name: 'accept-language', value: { kind: 'literal', value: 'en' } },
      { name: 'x-tries', value: { kind: 'literal', value: '3' } },
      { name: 'authorization', value: { kind: 'secret', name: 'bank', key: 'token' } },
      { name: 'x-id', value: { kind: 'env', variable: 'BANK_ID' } },
    ],
    tls: {
      rootCA: { kind: 'secret', name: 'bank', key: 'ca.crt' },
      certificate: { kind: 'literal', value: 'PEM' },
      privateKey: { kind: 'secret', name: 'bank', key: 'tls.key' },
    },
  };
  const spec = (tries: string) => `
  baseUrl: https://Bank.example/v3/
  headers:
    - { name: Accept-Language, value: en }
    - { name: x-tries, value: ${tries} }
    - { name: Authorization, secretKeyRef: { name: bank, key: token } }
    - { name: x-id, envRef: BANK_ID }
  clientTLS:
    rootCA: { secretKeyRef: { name: bank, key: ca.crt } }
    certificate: { value: PEM }
    privateKey: { secretKeyRef: { name: bank, key: tls.key } }
`;
  const head = (group: string, name = 'bank') =>
    `apiVersion: ${group}/v1alpha1\nkind: HTTPEndpoint\nmetadata: { name: ${name} }\n`;

  test('is read, and one of Dapr is read as it is', async () => {
    const ours = `${head('invoke.io')}spec:${spec("'3'")}  scopes: [web]\n`;
    const daprs = `${head('dapr.io')}scopes: [web]\nauth: { secretStore: vault }\nspec:${spec('3')}    renegotiation: RenegotiateNever\n`;
    const read = { ok: true, said: [], endpoints: [{ endpoint: bank, scopes: ['web'] }] };
    expect(await load({ 'a.yaml': ours })).toEqual(read);
    expect(await load({ 'a.yaml': daprs })).toEqual(read);
  });

  test.each([
    ['{ baseUrl: ftp://bank.example }', 'spec.baseUrl: "ftp://bank.example": write https://'],
    ['{ baseUrl: https://0x7f.1 }', 'spec.baseUrl: "https://0x7f.1": write https://'],
    ['{}', 'spec.baseUrl: '],
    ['{ baseUrl: https://a.example, headers: [{ name: Host, value: b }] }', 'not about the connection itself'],
    [
      '{ baseUrl: https://a.example, headers: [{ name: x, value: a, envRef: B }] }',
      'write one of value, secretKeyRef and envRef',
    ],
    [
      '{ baseUrl: https://a.example, headers: [{ name: x, envRef: dapr_api_token }] }',
      'DAPR_ or INVOKE_ cannot be read',
    ],
    [
      '{ baseUrl: https://a.example, headers: [{ name: x, secretKeyRef: { name: .., key: k } }] }',
      'the name of a Secret',
    ],
    [
      '{ baseUrl: https://a.example, clientTLS: { certificate: { value: PEM } } }',
      'certificate and privateKey go together',
    ],
    ['{ baseUrl: http://a.example, clientTLS: { rootCA: { value: PEM } } }', 'clientTLS is of no use without https://'],
    ['{ baseUrl: https://a.example, url: x }', 'there is no field "url" here'],
  ])('with spec %s stops the start', async (text, words) => {
    const { ok, said } = await load({ 'a.yaml': `${head('invoke.io')}spec: ${text}\n` });
    expect(ok).toBe(false);
    expect(said.join()).toContain(`a.yaml:1: HTTPEndpoint "bank": ${words.startsWith('spec') ? words : ''}`);
    expect(said.join()).toContain(words);
  });

  test('has a name of its own, without a dot, which would be that of a namespace', async () => {
    const one = `${head('invoke.io')}spec: { baseUrl: https://a.example }\n`;
    expect((await load({ 'a.yaml': one, 'b.yaml': one })).said).toEqual([
      'b.yaml:1: there is another HTTPEndpoint "bank"; name it otherwise',
    ]);
    const dotted = `${head('dapr.io', 'bank.shop')}spec: { baseUrl: https://a.example }\n`;
    expect((await load({ 'a.yaml': dotted })).said.join()).toContain('lower-case letters, digits and dashes');
  });
});
