// Health: can this sidecar serve, can it call out, and if not, why not.
import { fault } from '../../api/fault.ts';
import type { AppId } from '../../api/ids.ts';
import type { Pages } from '../../kit/pages.ts';
import type { StatusStyle } from '../edge/refuse.ts';
import { type Route, refusalAnswer } from '../edge/routes.ts';

/** Why something is not so, in words; undefined when it is so. */
export type Unready = string | undefined;

export interface HealthState {
  /** Calls in both directions. */
  ready(): Unready;
  /** Calls of the app to others; holds before the app listens. */
  outboundReady(): Unready;
}

/** Health by path: 204, or 503 with the reason (Dapr's number: 500). */
export function healthPages(state: HealthState, appId: AppId, statuses: StatusStyle): Pages {
  const unhealthy = (errorCode: string, message: string) =>
    refusalAnswer(fault('not-ready', message), statuses, errorCode);
  return {
    /** Asked with `?appid=…`, also whether this is the sidecar of that app. */
    '/v1.0/healthz': (query) => {
      const asked = query.get('appid');
      if (asked !== null && asked !== appId) {
        return unhealthy(
          'ERR_HEALTH_APPID_NOT_MATCH',
          `this is the sidecar of ${appId}, not of the app that was asked for`,
        );
      }
      const problem = state.ready();
      return problem === undefined ? { status: 204 } : unhealthy('ERR_HEALTH_NOT_READY', `not ready: ${problem}`);
    },
    '/v1.0/healthz/outbound': () => {
      const problem = state.outboundReady();
      if (problem === undefined) return { status: 204 };
      return unhealthy('ERR_OUTBOUND_HEALTH_NOT_READY', `not ready to call out: ${problem}`);
    },
  };
}

export function healthRoutes(pages: Pages): readonly Route[] {
  return Object.entries(pages).map(([path, page]) => ({
    method: 'GET',
    path,
    isOpenToAll: true,
    answer: ({ query }) => page(query),
  }));
}
