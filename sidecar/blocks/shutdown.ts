// Shutdown: the app may end its sidecar, which lets calls in flight finish, or not, when it is forced.
import { type Headers, headerValue } from '../../api/headers.ts';
import { answerSole, type GrpcMethod, unaryMethod } from '../edge/grpc-methods.ts';
import type { Route } from '../edge/routes.ts';

export interface ShutdownSwitch {
  graceful(): void;
  /** At once, with exit code 1. */
  forced(): void;
}

export function shutdownRoutes(shutdown: ShutdownSwitch): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1.0/shutdown',
      answer: ({ headers }) => {
        shutDown(shutdown, headers);
        return { status: 204 };
      },
    },
  ];
}

export function shutdownMethods(shutdown: ShutdownSwitch): readonly GrpcMethod[] {
  return [
    unaryMethod('/dapr.proto.runtime.v1.Dapr/Shutdown', (_message, answer, metadata) => {
      answerSole(answer, Buffer.alloc(0));
      shutDown(shutdown, metadata);
    }),
  ];
}

/** After the answer is on its way. */
function shutDown(shutdown: ShutdownSwitch, headers: Headers): void {
  const isForced = headerValue(headers, 'dapr-force-shutdown')?.toLowerCase() === 'true';
  setImmediate(() => (isForced ? shutdown.forced() : shutdown.graceful()));
}
