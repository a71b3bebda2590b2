// The messages of dapr.proto.runtime.v1.Dapr (runtime.proto, common.proto): what an app asks of its own sidecar over gRPC.
// Strings that become parts of an HTTP request are byte strings, as everywhere here.
import { ok, type Result } from '../../kit/result.ts';
import { delimited, text } from './byte-text.ts';
import type { EncodedMessage } from './peer-encoding.ts';
import { lastBytes, lastNumber, lastString, lastUtf8, type ProtoField, ProtoWriter, readFields } from './protobuf.ts';

export interface InvokeServiceRequest {
  /** Whom it is for, as the caller wrote it. */
  readonly id: string;
  readonly message: InvokeRequest;
}

/** A call in one message. */
export interface InvokeRequest {
  readonly method: string;
  /** Of `data`; the rest of it is `body`. Empty where the caller did not say. */
  readonly dataTypeUrl: string;
  readonly body: Buffer;
  readonly contentType: string;
  /** HTTPExtension.Verb, by number; 0 for none. */
  readonly verb: number;
  readonly query: string;
}

const NONE: readonly ProtoField[] = [];
const NO_BYTES = Buffer.alloc(0);

export function decodeInvokeServiceRequest(bytes: Buffer): Result<InvokeServiceRequest> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const message = decodeInvokeRequest(lastBytes(fields.value, 3) ?? NO_BYTES);
  return message.ok ? ok({ id: lastString(fields.value, 1), message: message.value }) : message;
}

export function decodeInvokeRequest(bytes: Buffer): Result<InvokeRequest> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const data = nestedFields(fields.value, 2);
  if (!data.ok) return data;
  const http = nestedFields(fields.value, 4);
  if (!http.ok) return http;
  return ok({
    method: lastString(fields.value, 1),
    dataTypeUrl: lastString(data.value, 1),
    body: lastBytes(data.value, 2) ?? NO_BYTES,
    contentType: lastString(fields.value, 3),
    verb: lastNumber(http.value, 1),
    query: lastString(http.value, 2),
  });
}

/** The fields of a message within a message; of one that is not there, none. */
function nestedFields(fields: readonly ProtoField[], number: number): Result<readonly ProtoField[]> {
  const bytes = lastBytes(fields, number);
  return bytes === undefined ? ok(NONE) : readFields(bytes);
}

export interface InvokeResponse {
  readonly dataTypeUrl: string;
  readonly body: Buffer;
  readonly contentType: string;
}

/**
 * A message in two parts, the body last, so that it can be sent as it is. `data` is there even when it is empty: some SDKs
 * look into it unasked.
 */
export function encodeInvokeResponse({ dataTypeUrl, body, contentType }: InvokeResponse): EncodedMessage {
  const any = text(1, dataTypeUrl) + delimited(2, body.length);
  return { front: text(2, contentType) + delimited(1, any.length + body.length) + any, piece: body };
}

/** What a sidecar is, as SDKs read it; a field that has nothing to say is left out. */
export interface SidecarMetadata {
  readonly id: string;
  readonly runtimeVersion: string;
  readonly enabledFeatures: readonly string[];
  readonly extended: Readonly<Record<string, string>>;
  readonly httpEndpoints: readonly { readonly name: string }[];
  readonly resiliencies: readonly { readonly name: string }[];
  readonly appConnectionProperties?: AppConnection;
}

export interface AppConnection {
  readonly port: number;
  readonly protocol: string;
  readonly channelAddress: string;
  /** How many calls may be in it at once. */
  readonly maxConcurrency?: number;
  readonly health?: AppConnectionHealth;
}

export interface AppConnectionHealth {
  readonly healthCheckPath: string;
  /** As Go writes durations. */
  readonly healthProbeInterval: string;
  readonly healthProbeTimeout: string;
  readonly healthThreshold: number;
  /** Of ours, over HTTP alone: the message has no field for it. */
  readonly status?: string;
}

/** ActorRuntime.ActorRuntimeStatus: there are no actors here. */
const ACTORS_DISABLED = 1;

export function encodeMetadata(metadata: SidecarMetadata): Buffer {
  const writer = new ProtoWriter();
  writer.utf8(1, metadata.id);
  for (const [key, value] of Object.entries(metadata.extended)) {
    writer.message(4, (entry) => {
      entry.utf8(1, key);
      entry.utf8(2, value);
    });
  }
  for (const { name } of metadata.httpEndpoints) writer.message(6, (endpoint) => endpoint.utf8(1, name));
  const app = metadata.appConnectionProperties;
  if (app !== undefined) {
    writer.message(7, (properties) => {
      properties.uint(1, app.port);
      properties.utf8(2, app.protocol);
      properties.utf8(3, app.channelAddress);
      if (app.maxConcurrency !== undefined) properties.uint(4, app.maxConcurrency);
      if (app.health !== undefined) encodeHealth(properties, app.health);
    });
  }
  writer.utf8(8, metadata.runtimeVersion);
  for (const feature of metadata.enabledFeatures) writer.utf8(9, feature);
  writer.message(10, (actors) => actors.uint(1, ACTORS_DISABLED));
  for (const { name } of metadata.resiliencies) writer.message(15, (resiliency) => resiliency.utf8(1, name));
  return writer.finish();
}

function encodeHealth(properties: ProtoWriter, health: AppConnectionHealth): void {
  properties.message(5, (field) => {
    field.utf8(1, health.healthCheckPath);
    field.utf8(2, health.healthProbeInterval);
    field.utf8(3, health.healthProbeTimeout);
    field.uint(4, health.healthThreshold);
  });
}

export function decodeSetMetadata(bytes: Buffer): Result<{ readonly key: string; readonly value: string }> {
  const fields = readFields(bytes);
  return fields.ok ? ok({ key: lastUtf8(fields.value, 1), value: lastUtf8(fields.value, 2) }) : fields;
}
