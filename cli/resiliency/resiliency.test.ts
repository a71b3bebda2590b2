// `invokectl resiliency`: beside real sidecars it shows what happened there; and whatever else answers is told apart.
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { PODS } from '../../kube/types.ts';
import { app, type Cli, startCli, throwawayFolder } from '../testing.ts';
import { ran, writeKubeconfig } from '../testing-commands.ts';

const FAILING = app(`
  import { createServer } from 'node:http';
  createServer((request, response) => response.writeHead(500).end()).listen(process.env.APP_PORT, '127.0.0.1');
`);

const RESILIENCY = `
apiVersion: invoke.io/v1alpha1
kind: Resiliency
metadata: { name: front }
spec:
  policies:
    circuitBreakers: { soon: { timeout: 30s, consecutiveFailures: 2 } }
  targets:
    apps:
      orders:
        routes: [{ name: pay, paths: [/pay], circuitBreaker: soon }]
`;

async function ended(cli: Cli) {
  const exitCode = await cli.ended;
  return { exitCode, stdout: cli.stdout(), stderr: cli.stderr() };
}

test('shows the breaker that opened beside it, and what is in effect; of one app, or of all', async () => {
  const env = { INVOKE_HOME: throwawayFolder('home') };
  const resources = throwawayFolder('resources');
  writeFileSync(join(resources, 'front.yaml'), RESILIENCY);
  const orders = startCli(['run', '-a', 'orders', '-p', String(await freePort()), '--', ...FAILING], env);
  const web = startCli(['sidecar', '-a', 'web', '-H', '0', '-M', '0', '-d', resources], env);
  const port = (await web.printed(/listening http=(\d+)/))[1];
  await Promise.all([web.printed(/certificate received/), orders.printed(/the app listens/)]);
  for (let calls = 0; calls < 2; calls++) await fetch(`http://127.0.0.1:${port}/v1.0/invoke/orders/method/pay`);

  const shown = await ended(startCli(['resiliency', 'web'], env));
  expect(shown).toMatchObject({ exitCode: 0, stderr: '' });
  const [head, ...rows] = shown.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  expect(head).toEqual(['APP', 'TARGET', 'WHAT', 'STATE', 'FOR']);
  expect(rows).toEqual([
    ['web', '-', 'Resiliency in effect', 'front', '-'],
    ['web', 'orders.default', 'breaker of route pay', 'open', expect.stringMatching(/^(30|2\d)s$/)],
    ['web', 'orders.default', 'instances', '1 of 1 are called', '-'],
    ['web', 'orders.default', 'retry budget', '10 of 10 left', '-'],
  ]);

  const all = JSON.parse((await ended(startCli(['resiliency', '-o', 'json'], env))).stdout);
  expect(all.map(({ id }: { id: string }) => id).sort()).toEqual(['orders', 'web']);
  expect(await ended(startCli(['resiliency', 'nobody'], env))).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: 'invokectl: nobody does not run; "invokectl list -A" shows what does\n',
  });
});

describe('what answers at an address', () => {
  const BUSY = {
    id: 'web',
    resiliencies: [],
    more: 'of a later version',
    resilience: {
      targets: [
        {
          target: 'orders.shop',
          instances: 30,
          leftAlone: [{ instance: '10.0.0.7:50002', state: 'ejected', forMs: 8200, failures: 5 }],
          leftAloneLeftOut: 3,
          budget: { retries: 12, left: 0 },
          breakers: [
            { path: '/a\u001b[2J', state: 'closed', forMs: 0 },
            { path: '/b', state: 'half-open', forMs: 0 },
          ],
          breakersLeftOut: 7,
        },
      ],
      targetsLeftOut: 2,
    },
  };

  test('is shown with the troubles first and what was left out, and cannot steer the terminal', async () => {
    const { exitCode, stdout } = await ask((_request, response) => response.end(JSON.stringify(BUSY)));
    expect(exitCode).toBe(0);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/).slice(2).join(' | '));
    expect(rows).toEqual([
      'WHAT | STATE | FOR',
      'Resiliency in effect | none | -',
      'breaker of /b | half-open | -',
      'instance 10.0.0.7:50002 | ejected, 5 failures in a row | 9s',
      '3 more instances | not shown | -',
      'instances | 26 of 30 are called | -',
      'retry budget | 0 of 12 left | -',
      'breaker of /a\\u001b[2J | closed | -',
      '7 more breakers | not shown | -',
      '2 more targets | not shown | -',
    ]);
  });

  test.each<[string, RequestListener, string]>([
    [
      'asks for a token',
      (_request, response) => response.writeHead(401).end(),
      'asks for a token; set INVOKE_API_TOKEN',
    ],
    ['is no sidecar', (_request, response) => response.end('<html>'), 'not JSON; is that the app API'],
    ['is of another version', (_request, response) => response.end('{"id":"web"}'), 'are the versions the same?'],
    ['fails', (_request, response) => response.writeHead(503).end(), 'status 503'],
    ['hangs up', (request) => request.socket.destroy(), 'socket hang up'],
  ])('that %s is a failure, with what to do', async (_what, answer, reason) => {
    const { exitCode, stdout, stderr } = await ask(answer);
    expect([exitCode, stdout]).toEqual([69, '']);
    expect(stderr).toMatch(/^invokectl: the sidecar at 127\.0\.0\.1:\d+ could not be asked: /);
    expect(stderr).toContain(reason);
  });

  test('gets the token of the environment', async () => {
    let token: unknown;
    await ask(
      (request, response) => {
        token = request.headers['dapr-api-token'];
        response.end('{}');
      },
      { INVOKE_API_TOKEN: 'secret' },
    );
    expect(token).toBe('secret');
  });

  async function ask(answer: RequestListener, env = {}) {
    const server = createServer(answer).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((done) => server.once('listening', done));
    return ran(['resiliency', '--address', `127.0.0.1:${portOf(server)}`], { env });
  }
});

describe('of a cluster', () => {
  let server: ApiServer;
  let cwd: string;
  beforeEach(async () => {
    [server, cwd] = [await startApiServer(), throwawayFolder('resiliency')];
    writeKubeconfig(cwd, server.url);
  });
  afterEach(() => server.stop());

  /** A pod that serves these metrics, or none. */
  function pod(name: string, appId: string, metrics: readonly string[] | undefined): void {
    const ports = [{ name: 'invoke-metrics', containerPort: 9090 }];
    server.put(PODS, {
      metadata: { name, namespace: 'front', labels: { 'invoke.io/app-id': appId } },
      spec: { containers: [], initContainers: [{ name: 'invoke-sidecar', ports }] },
      status: { phase: 'Running' },
    });
    if (metrics !== undefined) server.page(`front/${name}:9090/metrics`, `${metrics.join('\n')}\n`);
  }

  async function ask(line: string) {
    const args = ['resiliency', '--kubeconfig', 'kubeconfig', ...line.split(' ')];
    const { stdout, ...rest } = await ran(args, { cwd, home: cwd });
    return { ...rest, stdout: stdout.split('\n') };
  }

  const WELL = [
    'invoke_breakers{peer="orders.shop",route="pay",state="closed"} 1',
    'invoke_breakers{peer="orders.shop",route="pay",state="open"} 0',
    'invoke_instances{peer="orders.shop"} 3',
    'invoke_instances_ejected{peer="orders.shop"} 0',
    'invoke_retry_budget_left_ratio{peer="orders.shop"} 1',
  ];
  const ILL = [
    'invoke_breakers{peer="orders.shop",route="pay",state="open"} 1',
    'invoke_breakers{peer="orders.shop",route="",state="closed"} 7',
    'invoke_breakers{peer="orders.shop",route="",state="half-open"} 2',
    'invoke_instances{peer="orders.shop"} 3',
    'invoke_instances_ejected{peer="orders.shop"} 1',
    'invoke_retry_budget_left_ratio{peer="orders.shop"} 0.1',
  ];

  test('the troubles of all pods are one table, by the metrics of their sidecars', async () => {
    pod('web-1', 'web', WELL);
    pod('web-2', 'web', ILL);
    expect(await ask('-A')).toEqual({
      exitCode: 0,
      stdout: [
        'POD          TARGET       WHAT                        STATE',
        'front/web-2  orders.shop  breaker of route pay        open',
        'front/web-2  orders.shop  breakers outside of routes  2 half-open',
        'front/web-2  orders.shop  instances                   1 of 3 ejected',
        'front/web-2  orders.shop  retry budget                10% left',
        '',
        '2 sidecars were asked; those that are not shown have no trouble.',
        '',
      ],
      stderr: '',
    });
  });

  test('where there is no trouble it says so; a sidecar that cannot be read is named, and no app may be missing', async () => {
    pod('web-1', 'web', WELL);
    expect((await ask('web -n front')).stdout[0]).toContain('1 sidecars were asked: none has an open breaker');
    expect(await ask('web shop -n front')).toMatchObject({
      exitCode: 69,
      stderr: expect.stringContaining('no pod of shop runs there'),
    });
    pod('web-2', 'web', undefined);
    expect(await ask('-n front')).toMatchObject({ exitCode: 69, stderr: expect.stringContaining('front/web-2') });
    expect(await ask('--address 127.0.0.1:1')).toMatchObject({ exitCode: 64 });
  });
});
