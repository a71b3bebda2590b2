// Shutdown: the app may end its sidecar, which lets calls in flight finish, or not, when it is forced.
import { headerValue } from '../../api/headers.ts';
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
        const isForced = headerValue(headers, 'dapr-force-shutdown')?.toLowerCase() === 'true';
        // After this answer is on its way.
        setImmediate(() => (isForced ? shutdown.forced() : shutdown.graceful()));
        return { status: 204 };
      },
    },
  ];
}
