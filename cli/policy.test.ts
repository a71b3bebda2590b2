// `invokectl explain` and `invokectl policy`, on files and on a cluster: what they print, and how they end.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { readAccessPolicy } from '../api/resources/access-policy.ts';
import { readNamespacePolicy } from '../api/resources/namespace-policy.ts';
import { must } from '../kit/result.ts';
import { ACCESS_POLICIES, NAMESPACE_POLICIES } from '../kube/custom.ts';
import { type ApiServer, startApiServer } from '../kube/testing/api-server.ts';
import { throwawayFolder } from './testing.ts';
import { ran, writeKubeconfig } from './testing-commands.ts';

let cwd: string;
beforeEach(() => {
  cwd = throwawayFolder('policy');
});

async function invokectl(line: string, input = '') {
  const stdin = new PassThrough().end(input);
  const { exitCode, stdout, stderr } = await ran(line.split(' '), { cwd, home: cwd, stdin });
  return { exitCode, stdout: stdout.replaceAll(`${cwd}/`, ''), stderr: stderr.replaceAll(`${cwd}/`, '') };
}

function write(name: string, text: string): void {
  writeFileSync(join(cwd, name), text);
}

const resource = (kind: string, name: string, spec: string) =>
  `apiVersion: invoke.io/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n`;
const WEB_READS = '{ rules: [{ name: web-reads, from: [{ app: web, namespace: front }], to: [{ methods: [GET] }] }] }';
const ORDERS = resource('AccessPolicy', 'orders', WEB_READS);

describe('explain, on files', () => {
  test('0: it is allowed', async () => {
    write('a.yaml', ORDERS);
    expect(await invokectl('explain web.front GET orders.shop /orders?x=1 -f a.yaml')).toEqual({
      exitCode: 0,
      stdout: 'allow  web.front > GET orders.shop /orders\n  by the rule shop/orders/web-reads\n',
      stderr: '',
    });
  });

  test('1: it is denied, and what came close is said', async () => {
    write('a.yaml', ORDERS);
    const { exitCode, stdout } = await invokectl('explain web.front post orders.shop //orders -d .');
    expect(exitCode).toBe(1);
    expect(stdout.split('\n')).toEqual([
      'deny  web.front > POST orders.shop /orders',
      '  by the default of shop/orders',
      'came close:',
      '  shop/orders/web-reads (allow): it is about GET, and the method is POST',
      '',
    ]);
  });

  test('what else matches, and what is in audit mode, is told apart', async () => {
    const audit = resource('AccessPolicy', 'next', '{ mode: audit, rules: [{ name: a, from: [{ app: b }] }] }');
    write('a.yaml', `${ORDERS}---\n${audit}`);
    write('b.yaml', resource('AccessPolicy', 'more', '{ rules: [{ name: all, from: [{ namespace: front }] }] }'));
    expect((await invokectl('explain web.front GET orders.shop / -f a.yaml -f b.yaml')).stdout.split('\n')).toEqual([
      'allow  web.front > GET orders.shop /',
      '  by the rule shop/orders/web-reads',
      '  in audit mode, denied by the default of shop/next',
      'also matches:',
      '  shop/more/all (allow)',
      'came close:',
      '  shop/next/a (allow, in audit mode): it is about b.shop, and the caller is web.front',
      '',
    ]);
  });

  test('the fence of either namespace counts, and the defaults', async () => {
    write('a.yaml', resource('NamespacePolicy', 'front', '{ mayCall: [] }'));
    write('b.yaml', resource('NamespacePolicy', 'shop', '{ defaultAccess: deny }'));
    const by = async (line: string) => (await invokectl(`explain ${line}`)).stdout.split('\n')[1];
    expect(await by('web.front GET orders.shop / -f a.yaml')).toBe("  by the mayCall of the caller's namespace");
    expect(await by('web.back GET orders.shop / -d .')).toBe('  by the default of namespace shop');
    write('c.yaml', '');
    expect(await by('web GET orders / -f c.yaml --default-access deny')).toBe('  by the default of the installation');
  });

  test('JSON has all of it', async () => {
    write('a.yaml', ORDERS);
    const { stdout } = await invokectl(
      'explain spiffe://other.example/ns/front/web GRPC orders.shop a.B/C -f a.yaml -o json',
    );
    expect(JSON.parse(stdout)).toEqual({
      caller: 'spiffe://other.example/ns/front/web',
      call: 'GRPC orders.shop /a.B/C',
      verdict: 'deny',
      by: { kind: 'default', of: 'policy', name: 'default of shop/orders' },
      rules: [],
    });
  });

  test('files without a policy say nothing, and that is said', async () => {
    write('a.yaml', resource('Resiliency', 'x', '{}'));
    expect(await invokectl('explain web.front GET orders.shop / -f a.yaml')).toEqual({
      exitCode: 0,
      stdout: 'allow  web.front > GET orders.shop /\n  by the default of the installation\n',
      stderr: expect.stringMatching(/^invokectl: there is no AccessPolicy and no NamespacePolicy in what was given; /),
    });
  });

  test('64: whatever is wrong with the files is said, with its place, and nothing is judged', async () => {
    write(
      'a.yaml',
      `# one\n${resource('AccessPolicy', 'x', '{ aps: [a] }')}---\n${resource('AcessPolicy', 'y', '{}')}`,
    );
    write('b.yaml', 'a: [');
    write('c.yaml', `${ORDERS}---\n${ORDERS}`);
    const { exitCode, stdout, stderr } = await invokectl('explain web GET orders / -f a.yaml -f b.yaml -f none.yaml');
    expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^invokectl: a\.yaml:2: AccessPolicy "x": spec: .*aps/),
      expect.stringMatching(/^invokectl: a\.yaml:7: "AcessPolicy" is not a kind of invoke\.io; there are AccessPolicy/),
      expect.stringMatching(/^invokectl: b\.yaml:1: it is not YAML/),
      expect.stringMatching(/^invokectl: none\.yaml cannot be read: it does not exist$/m),
      '',
    ]);
    expect((await invokectl('explain web GET orders / -f c.yaml')).stderr).toBe(
      'invokectl: there are two of AccessPolicy shop/orders; keep one, or rename one\n',
    );
  });
});

describe('explain, on a cluster', () => {
  async function cluster(): Promise<ApiServer> {
    const server = await startApiServer();
    onTestFinished(() => server.stop());
    writeKubeconfig(cwd, server.url);
    const spec = must(readAccessPolicy({ rules: [{ name: 'web', from: [{ app: 'web', namespace: 'front' }] }] }));
    server.put(ACCESS_POLICIES, { metadata: { name: 'orders', namespace: 'shop' }, spec });
    server.put(ACCESS_POLICIES, { metadata: { name: 'orders', namespace: 'other' }, spec });
    return server;
  }
  const explain = (words: string) => invokectl(`explain ${words} --kubeconfig kubeconfig --context test`);

  test('its policies are asked: those of the callee, and the fence of both', async () => {
    const server = await cluster();
    expect(await explain('web.front GET orders.shop /')).toMatchObject({
      exitCode: 0,
      stderr: '',
      stdout: expect.stringContaining('by the rule shop/orders/web\n'),
    });
    const spec = must(readNamespacePolicy({ mayCall: [{ namespace: 'bank' }] }));
    server.put(NAMESPACE_POLICIES, { metadata: { name: 'front' }, spec });
    expect(await explain('web.front GET orders.shop /')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining("by the mayCall of the caller's namespace"),
    });
  });

  test('a policy that nobody can read closes, and is named', async () => {
    const server = await cluster();
    const spec = must(readAccessPolicy({ rules: [{ name: 'x', to: [{ paths: ['/admin'] }] }] }));
    const late = { ...spec, rules: spec.rules.map((rule) => ({ ...rule, to: [{ paths: ['/%61dmin'] }] })) };
    server.put(ACCESS_POLICIES, { metadata: { name: 'late', namespace: 'shop' }, spec: late });
    const { exitCode, stdout } = await explain('web.front GET orders.shop /');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /by the policy shop\/late, which cannot be read: spec\.rules\[0\]\.to\[0\]\.paths\[0\]: "\/%61dmin"/,
    );
  });

  test('69: it cannot be read', async () => {
    const server = await cluster();
    server.failNext(1, { status: 403 });
    expect(await explain('web.front GET orders.shop /')).toMatchObject({
      exitCode: 69,
      stdout: '',
      stderr: expect.stringContaining('could not list accesspolicies'),
    });
    expect(await invokectl('explain a GET b / --kubeconfig kubeconfig --context none')).toMatchObject({
      exitCode: 69,
      stderr: 'invokectl: the kubeconfig has no context "none"; it has test. Or give policies in files: -f FILE\n',
    });
  });
});

describe('policy test', () => {
  const file = (cases: string) => `policies: [a.yaml]\ncases:\n${cases}`;

  test('says what came otherwise than expected, and why', async () => {
    write('a.yaml', ORDERS);
    write(
      't.yaml',
      file(`  - { caller: web.front, call: GET orders.shop /, expect: allow, by: shop/orders/web-reads }
  - { name: nobody writes, caller: web.front, call: POST orders.shop /, expect: allow, audit: deny }
  - { caller: web.front, call: GET orders.shop /, expect: allow, by: shop/orders/other }
`),
    );
    const { exitCode, stdout } = await invokectl('policy test t.yaml');
    expect(exitCode).toBe(1);
    expect(stdout.split('\n')).toEqual([
      'failed: nobody writes',
      '    web.front > POST orders.shop /',
      '  - verdict: allow',
      '  - audit: deny',
      '  + verdict: deny',
      '  + by: default of shop/orders',
      '  + audit: allow',
      '  came close:',
      '    shop/orders/web-reads: it is about GET, and the method is POST',
      'failed: web.front GET orders.shop /',
      '    web.front > GET orders.shop /',
      '  - by: shop/orders/other',
      '  + by: shop/orders/web-reads',
      '1 passed, 2 failed',
      '',
    ]);
  });

  test('policies may stand in the file, and several files are one run', async () => {
    const inline = { apiVersion: 'invoke.io/v1alpha1', kind: 'AccessPolicy', metadata: { name: 'o' }, spec: {} };
    const cases = [{ caller: 'web', call: 'GET orders /', expect: 'deny', by: 'default of default/o' }];
    write('1.yaml', JSON.stringify({ resources: [inline], cases }));
    write(
      '2.yaml',
      JSON.stringify({ defaultAccess: 'deny', cases: [{ caller: 'web', call: 'GET orders /', expect: 'deny' }] }),
    );
    expect(await invokectl('policy test 1.yaml 2.yaml')).toEqual({
      exitCode: 0,
      stdout: '2 passed, 0 failed\n',
      stderr: '',
    });
  });

  test('64: whatever is wrong with a file is said, and nothing is tried', async () => {
    write('a.yaml', ORDERS);
    write(
      '1.yaml',
      file('  - { caller: web, call: GET orders, expect: allow }\n  - { caller: W, call: GET b /, expect: deny }\n'),
    );
    write('2.yaml', 'cases: [{ caller: web, call: GET orders /, expect: maybe }]\nfoo: 1\n');
    write(
      '3.yaml',
      JSON.stringify({
        resources: [{ kind: 'x' }],
        trustDomain: 'a',
        cases: [{ caller: 'a', call: 'GET b /', expect: 'deny' }],
      }),
    );
    const { exitCode, stdout, stderr } = await invokectl('policy test 1.yaml 2.yaml 3.yaml none.yaml');
    expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      'invokectl: 1.yaml: cases[0]: "GET orders" is no call; write such as GET orders.shop /orders/7',
      expect.stringMatching(/^invokectl: 1\.yaml: cases\[1\]: the caller: "W" is not an app id/),
      'invokectl: 2.yaml: cases[0].expect: "maybe" is none of allow, deny',
      expect.stringMatching(/^invokectl: 2\.yaml: .*"foo"/),
      expect.stringMatching(/^invokectl: 3\.yaml: resources\[0\]: it has no apiVersion/),
      expect.stringMatching(/^invokectl: 3\.yaml: resources\[0\]: it has no metadata.name/),
      expect.stringMatching(/^invokectl: none\.yaml cannot be read: /),
      '',
    ]);
  });
});

describe('policy learn', () => {
  const line = (path: string, target = 'orders.shop') =>
    JSON.stringify({
      message: 'a call was judged',
      verdict: 'deny',
      by: 'x',
      caller: 'spiffe://cluster.local/ns/front/web',
      target,
      kind: 'http',
      method: 'GET',
      path,
    });

  test('what it proposes allows what was seen', async () => {
    write('log', `listening\n${line('/orders')}\n${line('/orders')}\n${line('/stock', 'stock.shop')}\n`);
    const { exitCode, stdout, stderr } = await invokectl('policy learn log -', line('/more'));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    write('learned.yaml', stdout);
    for (const call of ['orders.shop /orders', 'orders.shop /more', 'stock.shop /stock']) {
      expect((await invokectl(`explain web.front GET ${call} -f learned.yaml`)).exitCode).toBe(0);
    }
    expect((await invokectl('explain web.front GET orders.shop /stock -f learned.yaml')).exitCode).toBe(1);
  });

  test('words that were put before a line are no part of it', async () => {
    const collected = `shop   │ ready\ninvoke │ ${line('/orders')}\n[pod/shop-1/invoke-sidecar] ${line('/stock')}\n`;
    const { exitCode, stdout } = await invokectl('policy learn', collected);
    expect(exitCode).toBe(0);
    for (const path of ['/orders', '/stock']) expect(stdout).toContain(`- ${path}\n`);
  });

  test('a log without such lines, a line that is broken and a file that is not there are failures', async () => {
    expect(await invokectl('policy learn', 'hello\n')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('no line about a call'),
    });
    expect(await invokectl('policy learn', `\n${line('/%')}\n`)).toMatchObject({
      exitCode: 64,
      stderr: expect.stringMatching(/^invokectl: the standard input: line 2: the path has a percent sign/),
    });
    expect(await invokectl('policy learn none')).toMatchObject({
      exitCode: 64,
      stderr: expect.stringContaining('none: it cannot be read: it does not exist'),
    });
  });

  test('what no rule can say is left out, and said', async () => {
    const { exitCode, stdout, stderr } = await invokectl(
      'policy learn',
      `${line('/')}\n${line(`/${'x'.repeat(300)}`)}`,
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain('- /\n');
    expect(stderr).toMatch(/^invokectl: web\.front called \/x+…, which is too long for a rule; it is left out\n$/);
  });
});
