// For tests: a client of a sidecar's own services over gRPC, as SDKs are, by grpc-js; its messages are made by another
// implementation of protobuf from the .proto files.
import type { CallOptions } from '@grpc/grpc-js';
import { oracleDecode, oracleEncode } from '../../api/proto/testing-schema.ts';
import { GrpcCaller, type Outcome } from './grpc-app.ts';

const RUNTIME = 'dapr.proto.runtime.v1';

export interface Invoke {
  readonly id?: string;
  readonly method?: string;
  /** By number; left out, as some SDKs do, if it is not said. */
  readonly verb?: number;
  readonly query?: string;
  readonly body?: Buffer | string;
  readonly typeUrl?: string;
  readonly contentType?: string;
}

export interface Invoked extends Outcome {
  /** InvokeResponse, if there is one. */
  readonly response: { readonly body: Buffer; readonly typeUrl: string; readonly contentType: string } | undefined;
}

export type Fields = Readonly<Record<string, string | Buffer>>;

export class DaprClient {
  readonly caller: GrpcCaller;

  constructor(port: number | undefined) {
    this.caller = new GrpcCaller(port ?? 0, undefined);
  }

  /** One message, as an object with the names of the .proto file; the answer is in bytes. */
  ask(
    method: string,
    message: Record<string, unknown> = {},
    fields: Fields = {},
    options?: CallOptions,
  ): Promise<Outcome> {
    const { caller } = this;
    return caller.call(`/${RUNTIME}.Dapr/${method}`, [this.encode(method, message)], caller.metadata(fields), options);
  }

  encode(method: string, message: Record<string, unknown>): Buffer {
    return oracleEncode(`${RUNTIME}.${method}Request`, message);
  }

  async invoke(call: Invoke, fields: Fields = {}, options?: CallOptions): Promise<Invoked> {
    const outcome = await this.ask('InvokeService', invokeMessage(call), fields, options);
    const [bytes] = outcome.messages;
    return { ...outcome, response: bytes === undefined ? undefined : readResponse(bytes) };
  }

  async metadata(): Promise<Record<string, unknown>> {
    const { messages } = await this.ask('GetMetadata');
    return oracleDecode(`${RUNTIME}.GetMetadataResponse`, messages[0] ?? Buffer.alloc(0));
  }

  close(): void {
    this.caller.close();
  }
}

export function invokeMessage({ id = 'callee', method = '', verb, query, body, typeUrl, contentType }: Invoke) {
  const http = { ...(verb !== undefined && { verb }), ...(query !== undefined && { querystring: query }) };
  const value = body === undefined ? undefined : Buffer.from(body);
  return {
    id,
    message: {
      method,
      ...(value !== undefined && { data: { value, ...(typeUrl !== undefined && { type_url: typeUrl }) } }),
      ...(contentType !== undefined && { content_type: contentType }),
      ...(Object.keys(http).length > 0 && { http_extension: http }),
    },
  };
}

function readResponse(bytes: Buffer) {
  const { data, content_type: contentType } = oracleDecode('dapr.proto.common.v1.InvokeResponse', bytes);
  if (!isAny(data)) throw new Error('the answer has no data, at which some SDKs break');
  return { body: Buffer.from(data.value), typeUrl: data.type_url, contentType: String(contentType) };
}

function isAny(data: unknown): data is { readonly type_url: string; readonly value: Uint8Array } {
  return typeof data === 'object' && data !== null && 'value' in data && 'type_url' in data;
}
