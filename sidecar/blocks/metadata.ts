// Metadata: what this sidecar is, in the shape that Dapr's SDKs read, and the values that its app has put there. Over HTTP and
// over gRPC it is the same.
import { fault } from '../../api/fault.ts';
import type { AppId } from '../../api/ids.ts';
import {
  type AppConnection,
  decodeSetMetadata,
  encodeMetadata,
  type SidecarMetadata,
} from '../../api/proto/runtime.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { ResilienceState } from '../admin/resilience-state.ts';
import { answerSole, type GrpcMethod, unaryMethod, unreadableMessage } from '../edge/grpc-methods.ts';
import { ROUTE_BODY_BYTES_MAX, type Route, refusalAnswer } from '../edge/routes.ts';

/** Values are small and few: this is no store. */
const VALUES_MAX = 100;
const SERVICE = '/dapr.proto.runtime.v1.Dapr';

/** What there is to say, when it is asked for. */
export interface MetadataSources {
  /** How the sidecar is connected to its app, if it has one. */
  readonly app: () => AppConnection | undefined;
  /** Names of the endpoints outside of the mesh that the app may use. */
  readonly endpoints: () => readonly string[];
  /** Names of the Resiliency objects in effect. */
  readonly resiliencies: () => readonly string[];
  /** How things stand with those that the app calls; of ours, over HTTP alone. */
  readonly resilience: () => ResilienceState;
  /** Of the sidecar itself, beside the values of the app. */
  readonly notices?: () => Readonly<Record<string, string>>;
}

export class Metadata {
  readonly #appId: AppId;
  readonly #version: string;
  readonly #sources: MetadataSources;
  readonly #values: Map<string, string>;

  constructor(appId: AppId, version: string, sources: MetadataSources) {
    this.#appId = appId;
    this.#version = version;
    this.#sources = sources;
    this.#values = new Map([['daprRuntimeVersion', version]]);
  }

  current(): SidecarMetadata {
    const app = this.#sources.app();
    return {
      id: this.#appId,
      runtimeVersion: this.#version,
      enabledFeatures: [],
      extended: { ...Object.fromEntries(this.#values), ...this.#sources.notices?.() },
      httpEndpoints: this.#sources.endpoints().map((name) => ({ name })),
      resiliencies: this.#sources.resiliencies().map((name) => ({ name })),
      ...(app !== undefined && { appConnectionProperties: app }),
    };
  }

  resilience(): ResilienceState {
    return this.#sources.resilience();
  }

  set(key: string, value: string): Result<void> {
    if (!this.#values.has(key) && this.#values.size >= VALUES_MAX)
      return err(`more than ${VALUES_MAX} metadata values`);
    this.#values.set(key, value);
    return ok(undefined);
  }
}

export function metadataRoutes(metadata: Metadata): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1.0/metadata',
      answer: () => ({
        status: 200,
        contentType: 'application/json',
        body: JSON.stringify({ ...metadata.current(), ...NOT_HERE, resilience: metadata.resilience() }),
      }),
    },
    {
      method: 'PUT',
      path: '/v1.0/metadata/',
      answer: ({ rest, body }) => {
        const key = decodeKey(rest);
        if (key === undefined) return malformed('the key in the URL is not percent-encoded UTF-8');
        const set = metadata.set(key, body.toString('utf8'));
        return set.ok ? { status: 204 } : malformed(set.error);
      },
    },
  ];
}

export function metadataMethods(metadata: Metadata): readonly GrpcMethod[] {
  return [
    unaryMethod(`${SERVICE}/GetMetadata`, (_message, answer) => answerSole(answer, encodeMetadata(metadata.current()))),
    unaryMethod(`${SERVICE}/SetMetadata`, (message, answer) => {
      const asked = decodeSetMetadata(message);
      if (!asked.ok) return answer.fail(unreadableMessage(asked.error));
      const { key, value } = asked.value;
      if (Buffer.byteLength(value) > ROUTE_BODY_BYTES_MAX) return answer.fail(VALUE_TOO_LARGE);
      const set = metadata.set(key, value);
      if (set.ok) answerSole(answer, Buffer.alloc(0));
      else answer.fail(fault('bad-request', `${set.error}.`));
    }),
  ];
}

const VALUE_TOO_LARGE = fault('body-too-large', `the value is larger than ${ROUTE_BODY_BYTES_MAX} bytes.`);

/** Blocks that there are none of, as SDKs expect to read them. */
const NOT_HERE = {
  actors: [],
  components: [],
  subscriptions: [],
  actorRuntime: { runtimeStatus: 'DISABLED', activeActors: [], hostReady: false, placement: '' },
};

function decodeKey(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** 400 in either style of statuses: what was sent is wrong, and sending it again does not help. */
function malformed(message: string) {
  return refusalAnswer(fault('bad-request', message), 'honest', 'ERR_MALFORMED_REQUEST');
}
