// Objects that are refused, and with which words: at apply, or where CEL cannot see what is wrong, in their status.
import {
  access,
  type BadExample,
  endpoint,
  type LateExample,
  namespace,
  operation,
  policies,
  resiliency,
  rules,
  sidecar,
  target,
} from './objects.ts';

export const BAD_EXAMPLES: readonly BadExample[] = [
  { says: 'an app id in upper case', object: access({ apps: ['Web'] }), refusal: '"Web": an app id has lower-case' },
  { says: 'an empty list of apps', object: access({ apps: [] }), refusal: 'spec.apps', ours: 'spec.apps: Too small' },
  {
    says: 'an app twice',
    object: access({ apps: ['web', 'web'] }),
    refusal: 'spec.apps[1]: Duplicate value: "web"',
  },
  {
    says: 'a mode that there is not',
    object: access({ mode: 'enforced' }),
    refusal: 'spec.mode: Unsupported value: "enforced": supported values: "enforce", "audit"',
    ours: 'spec.mode: "enforced" is none of enforce, audit',
  },
  {
    says: 'a field that there is not',
    object: access({ rulez: [] }),
    refusal: 'unknown field "spec.rulez"',
    ours: 'spec: there is no field "rulez" here; did you mean rules?',
  },
  {
    says: 'two rules of one name',
    object: rules({ name: 'a', from: [{ app: 'web' }] }, { name: 'a', to: [{ methods: ['GET'] }] }),
    refusal: 'spec.rules[1]: Duplicate value: {"name":"a"}',
    ours: 'spec.rules[1].name: Duplicate value: "a"',
  },
  {
    says: 'a rule without a name',
    object: rules({ from: [{ app: 'web' }] }),
    refusal: 'spec.rules[0].name: Required value',
    ours: 'spec.rules[0].name: it is missing; write text',
  },
  {
    says: 'a rule whose name is a sentence',
    object: rules({ name: 'Web reads', from: [{ app: 'web' }] }),
    refusal: '"Web reads": a name has lower-case letters, digits and dashes',
  },
  {
    says: 'a rule that says neither whom nor what',
    object: rules({ name: 'all', action: 'allow' }),
    refusal: 'say whom the rule is about (from), what (to), or both',
  },
  {
    says: 'a caller that is nobody in particular',
    object: rules({ name: 'all', from: [{}] }),
    refusal: 'name an app, a namespace or both',
  },
  {
    says: 'an empty list of callers, which others read as everybody',
    object: rules({ name: 'all', from: [] }),
    refusal: 'spec.rules[0].from: Invalid value: 0: spec.rules[0].from in body should have at least 1 items',
    ours: 'spec.rules[0].from: Too small',
  },
  {
    says: 'a pattern with more than stars',
    object: rules({ name: 'a', from: [{ app: 'web-[12]' }] }),
    refusal: '"web-[12]": write an app id, such as web, or a pattern in which * stands for any characters',
  },
  {
    says: 'a namespace that is none',
    object: rules({ name: 'a', from: [{ namespace: 'team_a' }] }),
    refusal: '"team_a": write a namespace, such as shop',
  },
  {
    says: 'a SPIFFE ID for a trust domain',
    object: rules({ name: 'a', from: [{ namespace: '*', trustDomain: 'spiffe://other' }] }),
    refusal: 'a trust domain has lower-case letters',
  },
  {
    says: 'a trust domain without a namespace',
    object: rules({ name: 'a', from: [{ trustDomain: 'other.example' }] }),
    refusal: "name one beside it, or write namespace: '*'",
  },
  {
    says: 'a method in lower case',
    object: operation({ methods: ['get'] }),
    refusal: '"get": write methods in upper case, such as GET',
  },
  {
    says: 'a method that is a slip of the pen',
    object: operation({ methods: ['DELET'] }),
    refusal: '"DELET": write methods in upper case, such as GET, and of HTTP',
  },
  {
    says: 'a star for every method',
    object: operation({ methods: ['*'] }),
    refusal: 'leave methods out for all of them',
  },
  {
    says: 'a path without its slash',
    object: operation({ paths: ['orders'] }),
    refusal: '"orders": a path begins with a slash, such as /orders/{id}',
  },
  { says: 'a path with a query', object: operation({ paths: ['/a?b=c'] }), refusal: 'write a path without query' },
  {
    says: 'a star inside a path',
    object: operation({ paths: ['/a/*/b'] }),
    refusal: '{id} stands for one whole segment',
  },
  { says: 'two stars inside a path', object: operation({ paths: ['/a/**/b'] }), refusal: '** at the very end' },
  { says: 'braces and more in a segment', object: operation({ paths: ['/a/{id}x'] }), refusal: 'one whole segment' },
  { says: 'half a segment in braces', object: operation({ paths: ['/a/x{id}'] }), refusal: 'one whole segment' },
  { says: 'an empty segment', object: operation({ paths: ['/a//b'] }), refusal: 'write it as sidecars judge it' },
  { says: 'a dot segment', object: operation({ paths: ['/a/../b'] }), refusal: 'write it as sidecars judge it' },
  {
    says: 'a gRPC method with a leading slash',
    object: operation({ grpc: ['/shop.Orders/Get'] }),
    refusal: 'write package.Service/Method without a leading slash',
  },
  {
    says: 'HTTP and gRPC in one',
    object: operation({ methods: ['GET'], grpc: ['shop.Orders/Get'] }),
    refusal: 'write methods, paths or both for HTTP, or grpc alone',
  },
  {
    says: 'an operation that is none',
    object: operation({}),
    refusal: 'write methods, paths or both for HTTP, or grpc alone',
  },

  {
    says: 'a negative timeout',
    object: policies({ timeouts: { short: '-5s' } }),
    refusal: '"-5s": write a duration of more than nothing, such as 500ms, 30s or 1h30m',
  },
  {
    says: 'a timeout of nothing',
    object: policies({ timeouts: { short: '0s' } }),
    refusal: '"0s": write a duration of more',
  },
  {
    says: 'a duration without a unit',
    object: policies({ timeouts: { short: '5' } }),
    refusal: '"5": write a duration',
  },
  {
    says: 'a target whose timeout is not there',
    object: target({ timeout: 'shrot' }),
    refusal: 'targets.apps[orders]: timeout names what policies.timeouts does not have',
  },
  {
    says: 'a target whose total timeout is not there',
    object: target({ totalTimeout: 'long' }),
    refusal: 'targets.apps[orders]: totalTimeout names what policies.timeouts does not have',
  },
  {
    says: 'a target whose retry is not there',
    object: target({ retry: 'short' }),
    refusal: 'targets.apps[orders]: retry names what policies.retries does not have',
  },
  {
    says: 'a route whose circuit breaker is not there',
    object: target({ routes: [{ name: 'pay', methods: ['POST'], circuitBreaker: 'simple' }] }),
    refusal: 'targets.apps[orders]: circuitBreaker names what policies.circuitBreakers does not have',
  },
  {
    says: 'a target that is no app',
    object: resiliency({ targets: { apps: { 'orders.shop.svc': {} } } }),
    refusal: '"orders.shop.svc": write a target as app or app.namespace',
  },
  {
    says: 'more retries than forever',
    object: policies({ retries: { often: { maxRetries: -2 } } }),
    refusal: 'spec.policies.retries.often.maxRetries: Invalid value: -2',
    ours: 'spec.policies.retries.often.maxRetries: Too small',
  },
  {
    says: 'an HTTP status that is none',
    object: policies({ retries: { often: { matching: { httpStatusCodes: '5xx' } } } }),
    refusal: '"5xx": write statuses and ranges between commas, such as "429,500-599"',
  },
  {
    says: 'a gRPC status that is none',
    object: policies({ retries: { often: { matching: { gRPCStatusCodes: '17' } } } }),
    refusal: '"17": write the numbers of gRPC statuses, 0 to 16',
  },
  {
    says: 'a trip over words that there are not',
    object: policies({ circuitBreakers: { simple: { trip: 'failures > 5' } } }),
    refusal: '"failures > 5": write a CEL expression over requests, totalSuccesses',
  },
  {
    says: 'two ways to trip',
    object: policies({ circuitBreakers: { simple: { trip: 'requests > 5', consecutiveFailures: 5 } } }),
    refusal: 'write trip, or consecutiveFailures and failureRatio, but not both',
  },
  {
    says: 'an interval that is no duration',
    object: policies({ circuitBreakers: { simple: { interval: '0' } } }),
    refusal: '"0": write a duration, such as 500ms, 30s or 1h30m; 0s for none',
  },
  {
    says: 'a header that is none',
    object: target({ balancing: { algorithm: 'consistent-hash', hashHeader: 'x user' } }),
    refusal: '"x user": write the name of a header, such as x-user',
  },
  {
    says: 'a hash without its header',
    object: target({ balancing: { algorithm: 'consistent-hash' } }),
    refusal: 'algorithm: consistent-hash goes with hashHeader',
  },
  {
    says: 'two routes of one name',
    object: target({
      routes: [
        { name: 'a', methods: ['GET'] },
        { name: 'a', methods: ['PUT'] },
      ],
    }),
    refusal: 'Duplicate value: {"name":"a"}',
    ours: 'Duplicate value: "a"',
  },

  {
    says: 'a NamespacePolicy whose name no namespace can have',
    object: namespace({}, 'shop.eu'),
    refusal: 'a NamespacePolicy has the name of the namespace that it is about',
    ours: null,
  },
  {
    says: 'an app id that is listed twice',
    object: namespace({
      identities: [
        { appId: 'web', serviceAccounts: ['a'] },
        { appId: 'web', serviceAccounts: ['b'] },
      ],
    }),
    refusal: 'spec.identities[1]: Duplicate value: {"appId":"web"}',
    ours: 'spec.identities[1].appId: Duplicate value: "web"',
  },
  {
    says: 'an identity as a pattern',
    object: namespace({ identities: [{ appId: 'team-*', serviceAccounts: ['a'] }] }),
    refusal: '"team-*": an app id has lower-case letters',
  },
  {
    says: 'a ServiceAccount with its namespace',
    object: namespace({ identities: [{ appId: 'web', serviceAccounts: ['shop/web'] }] }),
    refusal: '"shop/web": write the name of a ServiceAccount, without its namespace',
  },
  {
    says: "somebody else's annotation",
    object: namespace({ allowedAnnotations: ['dapr.io/env'] }),
    refusal: '"dapr.io/env": write an annotation of Invoke',
  },
  {
    says: 'callers without a namespace',
    object: namespace({ callableFrom: [{ app: 'web' }] }),
    refusal: 'spec.callableFrom[0].namespace: Required value',
    ours: 'spec.callableFrom[0].namespace: it is missing; write text',
  },
  {
    says: 'more than every trace',
    object: namespace({ traceSampling: '2' }),
    refusal: '"2": write a fraction between 0 and 1 as text, such as "0.01"',
  },
  {
    says: 'a CPU request above its limit',
    object: sidecar({ resources: { requests: { cpu: 2 }, limits: { cpu: '1500m' } } }),
    refusal: 'the request of cpu is above its limit',
  },
  {
    says: 'a memory request above its limit',
    object: sidecar({ resources: { requests: { memory: '1Gi' }, limits: { memory: '1000M' } } }),
    refusal: 'the request of memory is above its limit',
  },
  {
    says: 'an amount of CPU that is none',
    object: sidecar({ resources: { limits: { cpu: 'half' } } }),
    refusal: 'write an amount of CPU, such as 100m or 2',
  },
  {
    says: 'a negative size',
    object: sidecar({ maxBodySize: '-4Mi' }),
    refusal: 'write a size, such as 64Mi or 1Gi',
  },
  {
    says: 'a port that is none',
    object: sidecar({ metrics: { port: 70_000 } }),
    refusal: 'spec.sidecar.metrics.port',
    ours: 'spec.sidecar.metrics.port: Too big',
  },
  {
    says: 'an outside host that is a URL',
    object: namespace({ externalHosts: ['https://api.example.com'] }),
    refusal: '"https://api.example.com": write a host, such as api.example.com',
  },
  {
    says: 'an HTTPEndpoint without a URL',
    object: endpoint({ baseUrl: undefined }),
    refusal: 'spec.baseUrl: Required value',
    ours: 'spec.baseUrl: it is missing; write text',
  },
  {
    says: 'an HTTPEndpoint that speaks another protocol',
    object: endpoint({ baseUrl: 'ftp://bank.example' }),
    refusal: '"ftp://bank.example": write https://, a host, and a path if there is one',
  },
  {
    says: 'an HTTPEndpoint whose name is that of an app in a namespace',
    object: endpoint({}, 'bank.shop'),
    refusal: 'with a dot it would be that of an app in a namespace',
    ours: null,
  },
  {
    says: 'a header that is about the connection',
    object: endpoint({ headers: [{ name: 'Transfer-Encoding', value: 'chunked' }] }),
    refusal: '"Transfer-Encoding": write the name of a header that is not about the connection itself',
  },
  {
    says: 'a header with two values',
    object: endpoint({ headers: [{ name: 'x', value: 'a', envRef: 'A' }] }),
    refusal: 'write one of value, secretKeyRef and envRef',
  },
  {
    says: 'a header with the token of the app',
    object: endpoint({ headers: [{ name: 'x', envRef: 'App_Api_Token' }] }),
    refusal: '"App_Api_Token": write the name of a variable',
  },
  {
    says: 'a Secret whose name is a path',
    object: endpoint({ headers: [{ name: 'x', secretKeyRef: { name: '../bank', key: 'token' } }] }),
    refusal: '"../bank": write the name of a Secret',
  },
  {
    says: 'a key of a Secret that is a path',
    object: endpoint({ headers: [{ name: 'x', secretKeyRef: { name: 'bank', key: '..' } }] }),
    refusal: '"..": write a key of a Secret',
  },
  {
    says: 'a certificate without its key',
    object: endpoint({ clientTLS: { certificate: { value: 'PEM' } } }),
    refusal: 'certificate and privateKey go together',
  },
  {
    says: 'TLS for a service that has none',
    object: endpoint({ baseUrl: 'http://bank.example', clientTLS: { rootCA: { value: 'PEM' } } }),
    refusal: 'clientTLS is of no use without https:// in baseUrl',
  },
];

export const LATE_EXAMPLES: readonly LateExample[] = [
  {
    says: 'a path whose letters are encoded',
    object: operation({ paths: ['/%61dmin'] }),
    mistake: '"/%61dmin": write it as sidecars judge it',
  },
  {
    says: 'a path with a letter that a URL cannot have',
    object: operation({ paths: ['/größe'] }),
    mistake: 'anything else percent-encoded in upper case',
  },
  {
    says: 'statuses that run downwards',
    object: policies({ retries: { often: { matching: { httpStatusCodes: '599-500' } } } }),
    mistake: 'a range runs upwards, such as 500-599',
  },
  {
    says: 'an outside host whose address is written unusually',
    object: namespace({ externalHosts: ['0x7f.1'] }),
    mistake: '"0x7f.1": write a host, such as api.example.com',
  },
  {
    says: 'an HTTPEndpoint on a port that there is not',
    object: endpoint({ baseUrl: 'https://bank.example:70000' }),
    mistake: '"https://bank.example:70000": write https://',
  },
  {
    says: 'a trip that is a number',
    object: policies({ circuitBreakers: { simple: { trip: 'totalFailures / requests' } } }),
    mistake: '"totalFailures / requests": nobody can work that out; compare numbers',
  },
];
