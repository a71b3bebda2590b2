// Health: can this sidecar serve, can it call out, and if not, why not.
import type { AppId } from '../../api/ids.ts';
import type { Answer, Route } from '../edge/routes.ts';

/** Why something is not so, in words; undefined when it is so. */
export type Unready = string | undefined;

export interface HealthState {
  /** Calls in both directions. */
  ready(): Unready;
  /** Calls of the app to others; holds before the app listens. */
  outboundReady(): Unready;
}

/** GET /v1.0/healthz[?appid=…]: 204, or 503 with the reason. */
export function healthAnswer(state: HealthState, appId: AppId, query: URLSearchParams): Answer {
  const asked = query.get('appid');
  if (asked !== null && asked !== appId) {
    return unhealthy(
      'ERR_HEALTH_APPID_NOT_MATCH',
      `this is the sidecar of ${appId}, not of the app that was asked for`,
    );
  }
  const problem = state.ready();
  return problem === undefined ? { status: 204 } : unhealthy('ERR_HEALTH_NOT_READY', `not ready: ${problem}`);
}

/** GET /v1.0/healthz/outbound: 204, or 503 with the reason. */
export function outboundHealthAnswer(state: HealthState): Answer {
  const problem = state.outboundReady();
  return problem === undefined
    ? { status: 204 }
    : unhealthy('ERR_OUTBOUND_HEALTH_NOT_READY', `not ready to call out: ${problem}`);
}

export function healthRoutes(state: HealthState, appId: AppId): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1.0/healthz',
      isOpenToAll: true,
      answer: ({ query }) => healthAnswer(state, appId, query),
    },
    { method: 'GET', path: '/v1.0/healthz/outbound', isOpenToAll: true, answer: () => outboundHealthAnswer(state) },
  ];
}

function unhealthy(errorCode: string, message: string): Answer {
  return {
    status: 503,
    contentType: 'application/json',
    headers: { 'invoke-fault': 'not-ready', 'retry-after': '1' },
    body: `${JSON.stringify({ errorCode, message, details: { fault: 'not-ready' } })}\n`,
  };
}
