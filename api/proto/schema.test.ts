// Our .proto files say what Dapr's contract says: packages, names, numbers and types, and nothing of ours below 100.
import { expect, test } from 'vitest';
import { schema } from './testing-schema.ts';

/** The fields as they stand in the .proto file. */
function fields(type: string): Record<string, string> {
  const described = schema.lookupType(type).fieldsArray.map((field) => {
    const repeated = field.repeated ? 'repeated ' : '';
    const kind = field.map ? `map<string, ${field.type}>` : `${repeated}${field.type}`;
    return [field.name, `${kind} = ${field.id}`];
  });
  return Object.fromEntries(described);
}

const COMMON = 'dapr.proto.common.v1';
const INTERNALS = 'dapr.proto.internals.v1';
const SENTRY = 'dapr.proto.sentry.v1';
const RUNTIME = 'dapr.proto.runtime.v1';
const ANY = 'google.protobuf.Any';

test.each([
  [`${COMMON}.HTTPExtension`, { verb: 'Verb = 1', querystring: 'string = 2' }],
  [
    `${COMMON}.InvokeRequest`,
    { method: 'string = 1', data: `${ANY} = 2`, content_type: 'string = 3', http_extension: 'HTTPExtension = 4' },
  ],
  [`${COMMON}.InvokeResponse`, { data: `${ANY} = 1`, content_type: 'string = 2' }],
  [`${COMMON}.StreamPayload`, { data: 'bytes = 1', seq: 'uint64 = 2' }],
  [`${INTERNALS}.ListStringValue`, { values: 'repeated string = 1' }],
  [
    `${INTERNALS}.InternalInvokeRequest`,
    {
      ver: 'APIVersion = 1',
      metadata: 'map<string, ListStringValue> = 2',
      message: `${COMMON}.InvokeRequest = 3`,
      actor: 'Actor = 4',
      canonical_path: 'bool = 100',
      verb_name: 'string = 101',
    },
  ],
  [`${INTERNALS}.Actor`, { actor_type: 'string = 1', actor_id: 'string = 2' }],
  [
    `${INTERNALS}.InternalInvokeResponse`,
    {
      status: 'Status = 1',
      headers: 'map<string, ListStringValue> = 2',
      trailers: 'map<string, ListStringValue> = 3',
      message: `${COMMON}.InvokeResponse = 4`,
    },
  ],
  [`${INTERNALS}.Status`, { code: 'int32 = 1', message: 'string = 2', details: `repeated ${ANY} = 3` }],
  [
    `${INTERNALS}.InternalInvokeRequestStream`,
    {
      request: 'InternalInvokeRequest = 1',
      payload: `${COMMON}.StreamPayload = 2`,
      http_trailers: 'map<string, ListStringValue> = 100',
    },
  ],
  [
    `${INTERNALS}.InternalInvokeResponseStream`,
    {
      response: 'InternalInvokeResponse = 1',
      payload: `${COMMON}.StreamPayload = 2`,
      http_trailers: 'map<string, ListStringValue> = 100',
    },
  ],
  [
    `${SENTRY}.SignCertificateRequest`,
    {
      id: 'string = 1',
      token: 'string = 2',
      trust_domain: 'string = 3',
      namespace: 'string = 4',
      certificate_signing_request: 'bytes = 5',
      token_validator: 'TokenValidator = 6',
      jwt_audiences: 'repeated string = 7',
    },
  ],
  [
    `${SENTRY}.SignCertificateResponse`,
    {
      workload_certificate: 'bytes = 1',
      trust_chain_certificates: 'repeated bytes = 2',
      valid_until: 'google.protobuf.Timestamp = 3',
      jwt: 'string = 4',
      per_audience_jwts: 'map<string, string> = 5',
    },
  ],
  [
    'invoke.v1.TunnelRequest',
    { head: `${INTERNALS}.InternalInvokeRequest = 1`, protocol: 'string = 2', data: 'bytes = 3' },
  ],
  ['invoke.v1.TunnelReply', { head: `${INTERNALS}.InternalInvokeResponse = 1`, data: 'bytes = 3', end: 'bool = 4' }],
  [`${RUNTIME}.InvokeServiceRequest`, { id: 'string = 1', message: `${COMMON}.InvokeRequest = 3` }],
  [`${RUNTIME}.SetMetadataRequest`, { key: 'string = 1', value: 'string = 2' }],
  [
    `${RUNTIME}.GetMetadataResponse`,
    {
      id: 'string = 1',
      extended_metadata: 'map<string, string> = 4',
      http_endpoints: 'repeated MetadataHTTPEndpoint = 6',
      app_connection_properties: 'AppConnectionProperties = 7',
      runtime_version: 'string = 8',
      enabled_features: 'repeated string = 9',
      actor_runtime: 'ActorRuntime = 10',
      resiliencies: 'repeated MetadataResiliency = 15',
    },
  ],
  [`${RUNTIME}.MetadataHTTPEndpoint`, { name: 'string = 1' }],
  [`${RUNTIME}.MetadataResiliency`, { name: 'string = 1' }],
  [
    `${RUNTIME}.ActorRuntime`,
    { runtime_status: 'ActorRuntimeStatus = 1', host_ready: 'bool = 3', placement: 'string = 4' },
  ],
  [
    `${RUNTIME}.AppConnectionProperties`,
    {
      port: 'int32 = 1',
      protocol: 'string = 2',
      channel_address: 'string = 3',
      max_concurrency: 'int32 = 4',
      health: 'AppConnectionHealthProperties = 5',
    },
  ],
])('%s', (type, expected) => {
  expect(fields(type)).toEqual(expected);
});

test.each([
  [
    `${COMMON}.HTTPExtension.Verb`,
    ['NONE', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'],
  ],
  [`${INTERNALS}.APIVersion`, ['APIVERSION_UNSPECIFIED', 'V1']],
  [`${RUNTIME}.ActorRuntime.ActorRuntimeStatus`, ['INITIALIZING', 'DISABLED', 'RUNNING']],
  ['grpc.health.v1.HealthCheckResponse.ServingStatus', ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']],
  [`${SENTRY}.SignCertificateRequest.TokenValidator`, ['UNKNOWN', 'INSECURE', 'KUBERNETES', 'JWKS']],
])('%s counts from 0', (type, names) => {
  expect(schema.lookupEnum(type).values).toEqual(Object.fromEntries(names.map((name, number) => [name, number])));
});

test('the services have the methods that peers and workloads call', () => {
  const calls = schema
    .lookupService(`${INTERNALS}.ServiceInvocation`)
    .methodsArray.map((method) => [
      method.name,
      `${method.requestStream ? 'stream ' : ''}${method.requestType}`,
      `${method.responseStream ? 'stream ' : ''}${method.responseType}`,
    ]);
  expect(calls).toEqual([
    ['CallLocal', 'InternalInvokeRequest', 'InternalInvokeResponse'],
    ['CallLocalStream', 'stream InternalInvokeRequestStream', 'stream InternalInvokeResponseStream'],
  ]);
  expect(schema.lookupService(`${SENTRY}.CA`).methodsArray.map((method) => method.name)).toEqual(['SignCertificate']);
  const methods = (service: string) =>
    schema.lookupService(`${RUNTIME}.${service}`).methodsArray.map(({ name }) => name);
  expect(methods('Dapr')).toEqual(['InvokeService', 'GetMetadata', 'SetMetadata', 'Shutdown']);
  expect(methods('AppCallback')).toEqual(['OnInvoke']);
  expect(methods('AppCallbackHealthCheck')).toEqual(['HealthCheck']);
});
