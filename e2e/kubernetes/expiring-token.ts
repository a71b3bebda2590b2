// A pod's token that lives as briefly as the API server allows, kept in the cluster from the first suite to the one that needs it.
import { aPod, deploy, meshed, namespace } from './apps.ts';
import { apply, get, run } from './kubectl.ts';
import { tokenOf } from './sentry.ts';

const HERE = 'e2e-expiring';
const APP = 'patient';
const SECRET = 'expiring';

export interface ExpiringToken {
  readonly token: string;
  readonly app: string;
  readonly namespace: string;
  readonly expiresMs: number;
}

/** The one that is kept, or else a new one. */
export async function expiringToken(): Promise<ExpiringToken> {
  const { status } = await run('kubectl', ['get', 'secret', SECRET, '-n', HERE]);
  if (status !== 0) await makeExpiringToken();
  const { data } = await get<{ data: { token: string } }>('secret', SECRET, '-n', HERE);
  const token = Buffer.from(data.token, 'base64').toString();
  return { token, app: APP, namespace: HERE, expiresMs: expiryMs(token) };
}

export async function makeExpiringToken(): Promise<void> {
  await namespace(HERE);
  await deploy({ name: APP, namespace: HERE, annotations: meshed(APP) });
  const { metadata } = await aPod(HERE, `invoke.io/app-id=${APP}`);
  const token = await tokenOf(metadata.name, HERE, '--duration=10m');
  await apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: SECRET, namespace: HERE }, stringData: { token } });
}

/** As the token says (RFC 7519, 4.1.4). */
function expiryMs(token: string): number {
  const claims: { exp: number } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  return claims.exp * 1000;
}
