// Metadata: what this sidecar is, in the shape that Dapr's SDKs read, and the values that its app has put there.
import { fault } from '../../api/fault.ts';
import type { AppId } from '../../api/ids.ts';
import type { AppConfig } from '../config.ts';
import { type Route, refusalAnswer } from '../edge/routes.ts';

/** Values are small and few: this is no store. */
const VALUES_MAX = 100;

export function metadataRoutes(appId: AppId, version: string, app: AppConfig): readonly Route[] {
  const extended = new Map<string, string>([['daprRuntimeVersion', version]]);
  return [
    {
      method: 'GET',
      path: '/v1.0/metadata',
      answer: () => ({
        status: 200,
        contentType: 'application/json',
        body: JSON.stringify({
          id: appId,
          runtimeVersion: version,
          enabledFeatures: [],
          actors: [],
          components: [],
          extended: Object.fromEntries(extended),
          subscriptions: [],
          httpEndpoints: [],
          ...(app.port === undefined
            ? {}
            : {
                appConnectionProperties: { port: app.port, protocol: app.protocol ?? 'http', channelAddress: app.host },
              }),
          actorRuntime: { runtimeStatus: 'DISABLED', activeActors: [], hostReady: false, placement: '' },
        }),
      }),
    },
    {
      method: 'PUT',
      path: '/v1.0/metadata/',
      answer: ({ rest, body }) => {
        const key = decodeKey(rest);
        if (key === undefined) return malformed('the key in the URL is not percent-encoded UTF-8');
        if (!extended.has(key) && extended.size >= VALUES_MAX)
          return malformed(`more than ${VALUES_MAX} metadata values`);
        extended.set(key, body.toString('utf8'));
        return { status: 204 };
      },
    },
  ];
}

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
