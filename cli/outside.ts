// What a sidecar on a laptop may call that has no sidecar: any public host, what flags allow, and the endpoints of the resource
// files.
import type { ExternalPattern } from '../api/external-pattern.ts';
import type { HttpEndpoint } from '../api/http-endpoint.ts';
import type { AppId } from '../api/ids.ts';
import { derived, type Snapshot } from '../kit/snapshot.ts';
import type { OutsideConfig, OutsideRules } from '../sidecar/external/outside.ts';
import type { LoadedEndpoint } from '../sidecar/resources/endpoints.ts';
import type { Host } from './host.ts';

export interface OutsideSettings {
  readonly allowed: readonly ExternalPattern[];
  /** A folder for each Secret, a file for each key. */
  readonly secretsDirectory: string | undefined;
}

const RULES_ADVICE =
  'If it is meant, start this sidecar with --allowed-external HOST[:PORT]; for this machine itself the host is localhost, or its address.';
const NO_SECRETS = 'Secrets are folders below --secrets-path, with a file for each key';

export function outsideOfLaptop(
  { allowed, secretsDirectory }: OutsideSettings,
  endpoints: Snapshot<readonly HttpEndpoint[]>,
  { env }: Pick<Host, 'env'>,
): OutsideConfig {
  return {
    rules: derived(
      endpoints,
      (usable): OutsideRules => ({
        endpoints: new Map(usable.map((endpoint) => [endpoint.name, endpoint])),
        allowed,
        arePublicHostsAllowed: true,
        advice: RULES_ADVICE,
      }),
    ),
    secretsDirectory,
    secretsAdvice: NO_SECRETS,
    variable: (name) => env[name],
  };
}

/** Those that an app may use. */
export function endpointsFor(app: AppId, loaded: readonly LoadedEndpoint[]): readonly HttpEndpoint[] {
  return loaded.filter(({ scopes }) => scopes?.includes(app) ?? true).map(({ endpoint }) => endpoint);
}
