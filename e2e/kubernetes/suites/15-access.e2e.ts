// Who may call what, between real pods: a sample of the decision table, edits that reach connections which are open, the fence, the
// installation's default, and policies that are wrong.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  accessPolicy,
  BACK,
  CALLERS,
  type Caller,
  FRONT,
  JOB,
  ORDERS,
  OTHER_WEB,
  READS,
  ROWS,
  SHOP,
  STOCK,
  WEB,
} from '../access-table.ts';
import { aPod, namespace } from '../apps.ts';
import { ensureInstalled, install } from '../installation.ts';
import { apply, applyRefused, get, kubectl, type Manifest, run, until } from '../kubectl.ts';
import {
  closeStream,
  conversed,
  deployStreams,
  grpcCall,
  httpCall,
  type Kind,
  openStream,
  type Place,
  type Stream,
  streamOf,
} from '../streams.ts';

const CRD = 'accesspolicies.invoke.io';

const places = new Map<Caller, Place>();

beforeAll(async () => {
  await ensureInstalled();
  await clearPolicies();
  for (const where of [FRONT, BACK, SHOP]) await namespace(where);
  const callees = [
    deployStreams('orders', SHOP, 'http'),
    deployStreams('stock', SHOP, 'grpc'),
    deployStreams('open', SHOP, 'http'),
  ];
  const callers = CALLERS.map(async (caller) => {
    const [app, where] = split(caller);
    await deployStreams(app, where, 'http');
    places.set(caller, { namespace: where, pod: (await aPod(where, `invoke.io/app-id=${app}`)).metadata.name });
  });
  await Promise.all([...callees, ...callers]);
});

afterAll(clearPolicies);

async function clearPolicies(): Promise<void> {
  await kubectl('delete', 'namespacepolicy', SHOP, FRONT, '--ignore-not-found');
  await kubectl('delete', 'accesspolicy', '--all', '-n', SHOP);
}

function split(name: string): [app: string, namespace: string] {
  const dot = name.indexOf('.');
  return [name.slice(0, dot), name.slice(dot + 1)];
}

function placeOf(caller: Caller): Place {
  const place = places.get(caller);
  if (place === undefined) throw new Error(`${caller} is not deployed`);
  return place;
}

function namespacePolicy(name: string, spec: object): Manifest {
  return { apiVersion: 'invoke.io/v1alpha1', kind: 'NamespacePolicy', metadata: { name }, spec };
}

const CLOSED = { name: 'nobody', action: 'deny', to: [{ methods: ['GET', 'POST'] }, { grpc: ['*/*'] }] };

/** HTTP, or over gRPC /shop.v1.Orders/Echo. */
async function outcomeOf(caller: Caller, call: string, claims?: string): Promise<{ status: string; words: string }> {
  const [method = '', target = '', path = ''] = call.split(' ');
  const to = `${target}.${SHOP}`;
  if (method === 'GRPC') {
    const { status, message } = await grpcCall(placeOf(caller), to, 'hello');
    return { status, words: decodeURIComponent(message) };
  }
  const asked = { method, target: to, path, ...(claims === undefined ? {} : { claims }) };
  const { status, answer } = await httpCall(placeOf(caller), asked);
  return { status, words: answer };
}

async function becomes(caller: Caller, call: string, wanted: string): Promise<void> {
  await until(`${caller} ${call} to be ${wanted}`, async () => (await outcomeOf(caller, call)).status === wanted);
}

describe('policies that are applied', () => {
  beforeAll(async () => {
    await apply(ORDERS, STOCK);
    await becomes(OTHER_WEB, 'GET orders /orders', '403');
    await becomes(OTHER_WEB, 'GRPC stock', '7');
  });

  test.each(ROWS.map((row) => [`${row.caller} ${row.call}${row.claims ? ` as ${row.claims}` : ''}`, row] as const))(
    '%s',
    async (_says, { caller, call, status, by = '', claims }) => {
      const outcome = await outcomeOf(caller, call, claims);
      expect(outcome.status).toBe(status);
      expect(outcome.words).toContain(by);
    },
  );

  test('denials are counted by the rule that denied, at the pod of the app', async () => {
    const rule = `${SHOP}/orders/nobody-deletes`;
    const denied = () => counted('invoke_access_denied_total', { direction: 'inbound', peer: WEB, rule });
    const before = await denied();
    await outcomeOf(WEB, 'DELETE orders /orders/7');
    expect(await denied()).toBe(before + 1);
  });

  test('a policy in audit mode denies nothing; what it would deny is counted, and in its status', async () => {
    await apply(
      accessPolicy('stricter', {
        apps: ['orders'],
        mode: 'audit',
        rules: [{ ...READS, to: [{ paths: ['/orders'] }] }],
      }),
    );
    const labels = { peer: WEB, rule: `default of ${SHOP}/stricter` };
    const denied = () => counted('invoke_access_audit_denied_total', labels);
    await until('the policy to be heard of', async () => {
      expect((await outcomeOf(WEB, 'GET orders /orders/7')).status).toBe('200');
      return (await denied()) > 0;
    });
    const before = await denied();
    await outcomeOf(WEB, 'GET orders /orders');
    await outcomeOf(WEB, 'GET orders /orders/7');
    expect(await denied()).toBe(before + 1);
    const { message } = await condition('stricter', 'WouldDeny', 'True');
    expect(message).toMatch(`${WEB} > GET /orders/7 of orders.${SHOP}, by default of ${SHOP}/stricter`);
    await kubectl('delete', 'accesspolicy', 'stricter', '-n', SHOP);
  });
});

describe('an edit', () => {
  beforeAll(async () => {
    await apply(ORDERS, STOCK);
    await becomes(WEB, 'GET orders /orders', '200');
    await becomes(WEB, 'GRPC stock', '0');
  });

  test('reaches connections that are open, and what is open on them', async () => {
    const opened: readonly (readonly [name: string, kind: Kind, target: string, ends: RegExp])[] = [
      ['http', 'calls', 'orders', new RegExp(`^403 .*rule ${SHOP}/orders/nobody `)],
      ['sse', 'events', 'orders', /./],
      ['grpc', 'talk', 'stock', new RegExp(`^7 .*${SHOP}%?/?.*nobody`)],
      ['websocket', 'socket', 'orders', /^1008 /],
    ];
    const web = placeOf(WEB);
    for (const [name, kind, target] of opened) await openStream(web, name, kind, `${target}.${SHOP}`);
    for (const name of ['grpc', 'websocket']) await conversed(web, name, 'before');
    for (const name of ['http', 'sse']) await until('the first', async () => (await streamOf(web, name)).count > 10);

    const beganMs = Date.now();
    await apply(withRule(ORDERS, CLOSED), withRule(STOCK, CLOSED));
    const appliedMs = Date.now();
    for (const [name, , , ends] of opened) {
      const {
        ended,
        endedMs = 0,
        heard,
      }: Stream = await until(`${name} to end`, async () => {
        const stream = await streamOf(web, name);
        return stream.ended !== undefined && stream;
      });
      expect(ended).toMatch(ends);
      if (name === 'http') expect(heard.at(-1)).toBe('200 over connection 1');
      console.log(
        `${name}: denied ${endedMs - beganMs} ms after kubectl apply began, ${endedMs - appliedMs} ms after it ended`,
      );
    }

    await apply(ORDERS, STOCK);
    await becomes(WEB, 'GET orders /orders', '200');
    await becomes(WEB, 'GRPC stock', '0');
  });

  test('that goes on permitting what is open leaves it alone', async () => {
    const web = placeOf(WEB);
    await openStream(web, 'spared', 'socket', `orders.${SHOP}`);
    await conversed(web, 'spared', 'before');
    await apply(withRule(ORDERS, { ...CLOSED, to: [{ methods: ['POST'] }] }));
    await becomes(JOB, 'POST orders /orders', '403');
    await conversed(web, 'spared', 'after');
    expect((await streamOf(web, 'spared')).ended).toBeUndefined();
    await closeStream(web, 'spared');
    await apply(ORDERS);
    await becomes(JOB, 'POST orders /orders', '200');
  });
});

function withRule(policy: Manifest, rule: object): Manifest {
  const { apps, rules }: { apps?: unknown; rules?: readonly object[] } = Object(policy.spec);
  return { ...policy, spec: { apps, rules: [...(rules ?? []), rule] } };
}

describe('the platform team', () => {
  test('keeps callers out of a namespace, whatever its policies say', async () => {
    await apply(namespacePolicy(SHOP, { callableFrom: [{ namespace: FRONT }] }));
    await becomes(OTHER_WEB, 'GET open /', '403');
    expect((await outcomeOf(OTHER_WEB, 'GET open /')).words).toContain(`callableFrom of namespace ${SHOP}`);
    expect((await outcomeOf(WEB, 'GET open /')).status).toBe('200');
    await kubectl('delete', 'namespacepolicy', SHOP);
    await becomes(OTHER_WEB, 'GET open /', '200');
  });

  test('keeps the apps of a namespace in', async () => {
    await apply(namespacePolicy(FRONT, { mayCall: [{ namespace: BACK }] }));
    await becomes(WEB, 'GET open /', '403');
    expect((await outcomeOf(WEB, 'GET open /')).words).toContain(`mayCall of namespace ${FRONT}`);
    expect((await outcomeOf(OTHER_WEB, 'GET open /')).status).toBe('200');
    await kubectl('delete', 'namespacepolicy', FRONT);
    await becomes(WEB, 'GET open /', '200');
  });

  test('denies by default, for the installation, and otherwise for a namespace', async () => {
    try {
      await install('access.default=deny');
      await becomes(WEB, 'GET open /', '403');
      expect((await outcomeOf(WEB, 'GET open /')).words).toContain('default of the installation');
      expect((await outcomeOf(WEB, 'GET orders /orders')).status).toBe('200');
      await apply(namespacePolicy(SHOP, { defaultAccess: 'allow' }));
      await becomes(WEB, 'GET open /', '200');
      await kubectl('delete', 'namespacepolicy', SHOP);
      await becomes(WEB, 'GET open /', '403');
    } finally {
      await install();
    }
    await becomes(WEB, 'GET open /', '200');
  });
});

describe('a policy that is wrong', () => {
  test('is refused when it is applied, in a sentence', async () => {
    const both = { ...READS, to: [{ methods: ['GET'], grpc: ['shop.v1.Orders/Echo'] }] };
    const said = await applyRefused(accessPolicy('orders', { apps: ['orders'], rules: [both] }));
    expect(said).toContain('write methods, paths or both for HTTP, or grpc alone');
    expect((await outcomeOf(WEB, 'GET orders /orders')).status).toBe('200');
  });

  test('changes nothing where it slipped in, and closes the app to sidecars that know of nothing before', async () => {
    const crd = await get<Manifest>('crd', CRD);
    const wrong = accessPolicy('orders', { apps: ['orders'], rules: [{ ...READS, action: 'perhaps' }] });
    try {
      await kubectl('patch', 'crd', CRD, '--type=json', '-p', JSON.stringify([WITHOUT_VALIDATION]));
      await until('the API server to take anything', async () => {
        const { status } = await run('kubectl', ['apply', '-f', '-'], JSON.stringify(wrong));
        return status === 0;
      });
      const { message } = await condition('orders', 'Accepted', 'False');
      expect(message).toContain('spec.rules[0].action');
      await until('the sidecar to have looked at it', async () => (await logOf('orders')).includes('cannot be read'));
      expect((await outcomeOf(WEB, 'GET orders /orders')).status).toBe('200');
      expect((await outcomeOf(OTHER_WEB, 'GET orders /orders')).words).toContain(`default of ${SHOP}/orders`);

      await kubectl('rollout', 'restart', 'deployment/orders', '-n', SHOP);
      await becomes(WEB, 'GET orders /orders', '403');
      const { words } = await outcomeOf(WEB, 'GET orders /orders');
      expect(words).toContain(`the policy ${SHOP}/orders cannot be read`);
    } finally {
      await apply(ORDERS);
      await restored(crd);
    }
    await becomes(WEB, 'GET orders /orders', '200');
  });
});

const WITHOUT_VALIDATION = {
  op: 'replace',
  path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec',
  value: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
};

interface WithStatus {
  readonly status?: {
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
}

/** Once the policy has it. */
function condition(policy: string, type: string, status: string) {
  return until(`${policy} to be ${type}=${status}`, async () => {
    const { status: said } = await get<WithStatus>('accesspolicy', policy, '-n', SHOP);
    return said?.conditions.find((one) => one.type === type && one.status === status);
  });
}

async function restored({ apiVersion, kind, metadata, spec }: Manifest): Promise<void> {
  const { resourceVersion: _, ...named } = metadata;
  const { status, stderr } = await run(
    'kubectl',
    ['replace', '-f', '-'],
    JSON.stringify({ apiVersion, kind, metadata: named, spec }),
  );
  if (status !== 0) throw new Error(stderr);
}

async function logOf(app: string): Promise<string> {
  const { metadata } = await aPod(SHOP, `invoke.io/app-id=${app}`);
  return kubectl('logs', metadata.name, '-n', SHOP, '-c', 'invoke-sidecar');
}

/** What a counter of the pod of orders says; 0 where it is not there yet. */
async function counted(metric: string, labels: Readonly<Record<string, string>>): Promise<number> {
  const { metadata } = await aPod(SHOP, 'invoke.io/app-id=orders');
  const page = await kubectl('get', '--raw', `/api/v1/namespaces/${SHOP}/pods/${metadata.name}:9090/proxy/metrics`);
  const line = page
    .split('\n')
    .find(
      (one) =>
        one.startsWith(`${metric}{`) &&
        Object.entries(labels).every(([key, value]) => one.includes(`${key}="${value}"`)),
    );
  return Number(line?.split(' ').at(-1) ?? 0);
}
