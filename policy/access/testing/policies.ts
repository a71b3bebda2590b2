// For tests: identities, calls and policies in few words, and random ones from a small world, in which much matches much.
import fc from 'fast-check';
import { type Identity, parseAppId, parseNamespace, parseTrustDomain } from '../../../api/ids.ts';
import { canonicalPath } from '../../../api/path.ts';
import { readAccessPolicy } from '../../../api/resources/access-policy.ts';
import { must } from '../../../kit/result.ts';
import type { AccessCall } from '../call.ts';
import type { PlacedPolicy } from '../rule.ts';

/** `web.front`, or `web.front@other.example` from another trust domain. */
export function identity(text: string): Identity {
  const [name = '', trustDomain = 'cluster.local'] = text.split('@');
  const [app = '', namespace = 'shop'] = name.split('.');
  return {
    app: must(parseAppId(app)),
    namespace: must(parseNamespace(namespace)),
    trustDomain: must(parseTrustDomain(trustDomain)),
  };
}

/** `GET /orders/7`, `GRPC /shop.Orders/Get` or `TUNNEL /chat`; the path as a request may bring it. */
export function call(caller: Identity, text: string): AccessCall {
  const [method = '', path = ''] = text.split(' ');
  const made = { caller, path: must(canonicalPath(path)) };
  if (method === 'GRPC') return { ...made, kind: 'grpc', method: 'POST' };
  return method === 'TUNNEL' ? { ...made, kind: 'tunnel', method: 'CONNECT' } : { ...made, kind: 'http', method };
}

/** As the API server would keep it. */
export function policy(spec: object, name = 'orders', namespace = 'shop'): PlacedPolicy {
  return { namespace, name, spec: must(readAccessPolicy(spec)) };
}

const APPS = ['web', 'web-2', 'job', 'orders'];
const NAMESPACES = ['shop', 'front', 'team-a', 'team-b'];
const TRUST_DOMAINS = ['cluster.local', 'other.example'];
const SEGMENTS = [
  'a',
  'A',
  'b',
  'a;x',
  ';x',
  'a%2Fb',
  'a%5Cb',
  'b%2FA%5Ca',
  '%2F',
  '%C3%89',
  '%C3%A9',
  'a!',
  'a%21',
  '%3B',
  'a%3Bb;x',
  'a;%2Fb',
  'a%3Fb',
  '%23',
  '%2561',
  'a%252fB',
  '%253B%255C',
  'a%253F%25ff',
  'a.%20',
];
const METHODS = ['GET', 'HEAD', 'POST', 'DELETE'];
const SERVICES = ['shop.Orders', 'shop.orders', 'shop.Stock', 'Orders'];
const GRPC_METHODS = ['Get', 'get', 'GetAll', 'Put'];

const oneOf = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const some = <T>(value: fc.Arbitrary<T>, maxLength = 3) => fc.uniqueArray(value, { minLength: 1, maxLength });
const optional = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value, { nil: undefined }).map((held) => (held === undefined ? {} : { [name]: held }));

export const anyCaller: fc.Arbitrary<Identity> = fc
  .tuple(oneOf(...APPS), oneOf(...NAMESPACES), fc.integer({ min: 0, max: 9 }))
  .map(([app, namespace, place]) => identity(`${app}.${namespace}@${place > 7 ? TRUST_DOMAINS[1] : TRUST_DOMAINS[0]}`));

const anyPath = fc
  .tuple(fc.array(oneOf(...SEGMENTS), { maxLength: 3 }), oneOf('', '', '', '/'))
  .map(([segments, end]) => `/${segments.join('/')}${segments.length > 0 ? end : ''}`);

export const anyCall: fc.Arbitrary<AccessCall> = fc
  .tuple(
    anyCaller,
    oneOf('http', 'http', 'http', 'grpc', 'tunnel'),
    oneOf(...METHODS),
    anyPath,
    oneOf(...SERVICES),
    oneOf(...GRPC_METHODS),
  )
  .map(([caller, kind, method, path, service, name]) => {
    if (kind === 'grpc') return call(caller, `GRPC /${service}/${name}`);
    return call(caller, `${kind === 'tunnel' ? 'TUNNEL' : method} ${path}`);
  });

const anyFrom = fc
  .tuple(
    oneOf(undefined, '*', 'web*', '*b', ...APPS),
    oneOf(undefined, undefined, '*', 'team-*', ...NAMESPACES),
    oneOf(undefined, undefined, undefined, ...TRUST_DOMAINS),
  )
  .map(([app, namespace, trustDomain]) => ({
    ...(app !== undefined && { app }),
    ...((namespace ?? (trustDomain && '*')) !== undefined && { namespace: namespace ?? '*' }),
    ...(trustDomain !== undefined && { trustDomain }),
  }))
  .map((from) => (Object.keys(from).length === 0 ? { app: '*' } : from));

const anyTemplate = fc
  .tuple(fc.array(oneOf('{id}', ...SEGMENTS), { maxLength: 3 }), oneOf('', '', '/', '/**'))
  .map(([steps, end]) => (steps.length === 0 ? (end === '/**' ? end : '/') : `/${steps.join('/')}${end}`));

const anyHttp = fc
  .tuple(optional('methods', some(oneOf(...METHODS))), optional('paths', some(anyTemplate)))
  .map(([methods, paths]) => ({ ...methods, ...paths }))
  .map((operation) => (Object.keys(operation).length === 0 ? { paths: ['/**'] } : operation));

const anyGrpc = some(
  fc
    .tuple(oneOf('*', 'shop.*', '*rders', ...SERVICES), oneOf('*', 'Get*', ...GRPC_METHODS))
    .map((both) => both.join('/')),
).map((grpc) => ({ grpc }));

const anyRule = fc
  .tuple(
    oneOf('allow', 'allow', 'deny'),
    optional('from', some(anyFrom)),
    optional('to', some(fc.oneof(anyHttp, anyGrpc))),
  )
  .map(([action, from, to]) => ({
    action,
    ...from,
    ...(Object.keys(from).length === 0 ? { to: [{ methods: ['GET'] }] } : {}),
    ...to,
  }));

export const anyPolicy: fc.Arbitrary<PlacedPolicy> = fc
  .tuple(
    fc.array(anyRule, { maxLength: 5 }),
    oneOf('enforce', 'enforce', 'audit'),
    oneOf('deny', 'allow'),
    oneOf('both', 'both', 'literal'),
    oneOf(undefined, ['orders'], ['stock', 'orders'], ['stock']),
    oneOf('shop', 'shop', 'shop', 'front'),
  )
  .map(([rules, mode, byDefault, encodedSlash, apps, namespace]) => ({
    namespace,
    name: 'policy',
    spec: must(
      readAccessPolicy({
        ...(apps && { apps }),
        mode,
        default: byDefault,
        encodedSlash,
        rules: rules.map((rule, i) => ({ ...rule, name: `rule-${i}` })),
      }),
    ),
  }));

/** Each with a name of its own. */
export const anyPolicies: fc.Arbitrary<readonly PlacedPolicy[]> = fc
  .array(anyPolicy, { maxLength: 4 })
  .map((policies) => policies.map((one, i) => ({ ...one, name: `policy-${i}` })));

export const anyDefaults = fc.record({
  namespace: oneOf(undefined, 'allow' as const, 'deny' as const),
  installation: oneOf('allow' as const, 'deny' as const),
});
