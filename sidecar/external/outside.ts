// All that a sidecar goes by when it calls out of the mesh: named endpoints, rules, secrets, connections.
import { lookup } from 'node:dns';
import { networkInterfaces } from 'node:os';
import { type Endpoints, NO_ENDPOINTS } from '../../api/external.ts';
import type { ExternalPattern } from '../../api/external-pattern.ts';
import type { Headers } from '../../api/headers.ts';
import type { EndpointHeader } from '../../api/http-endpoint.ts';
import { originText } from '../../api/origin.ts';
import type { Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import { flawIn } from '../../wire/fields.ts';
import type { ExternalRules, PermittedExternalCall } from '../authorize/external.ts';
import type { LookUp, NotConnected } from './connect.ts';
import { type Material, readMaterial, secureContextOf } from './material.ts';
import { mayConnect } from './may-connect.ts';
import { http1Pools, http2Pools, type OutsideHttp1Pool, type OutsideHttp2Pool, type OutsidePools } from './pools.ts';
import { EndpointSecrets } from './secrets.ts';

/** What changes while the sidecar runs. */
export interface OutsideRules extends ExternalRules {
  readonly endpoints: Endpoints;
}

/** How a sidecar is set up to call out of the mesh. */
export interface OutsideConfig {
  /** Where there is an operator, its feed says them, and not this. */
  readonly rules: Snapshot<OutsideRules>;
  /** A folder for each Secret, a file for each key. */
  readonly secretsDirectory: string | undefined;
  readonly secretsAdvice: string;
  /** Of the environment of the sidecar. */
  readonly variable: (name: string) => string | undefined;
}

export interface OutsideDeps {
  readonly clock: Clock;
  /** The platform's by default. */
  readonly lookUp?: LookUp;
  readonly ownAddresses?: () => readonly string[];
}

/** Nothing outside may be called. */
export const NOTHING_OUTSIDE: OutsideConfig = {
  rules: snapshot<OutsideRules>({
    endpoints: NO_ENDPOINTS,
    allowed: [] as readonly ExternalPattern[],
    arePublicHostsAllowed: false,
    advice: 'This sidecar calls nobody outside of the mesh.',
  }),
  secretsDirectory: undefined,
  secretsAdvice: 'this sidecar reads no Secrets',
  variable: () => undefined,
};

export class Outside {
  readonly rules: Snapshot<OutsideRules>;
  readonly #http1: OutsidePools<OutsideHttp1Pool>;
  readonly #http2: OutsidePools<OutsideHttp2Pool>;
  readonly #secrets: EndpointSecrets;

  constructor(
    config: OutsideConfig,
    { clock, lookUp = platformLookUp, ownAddresses = interfaceAddresses }: OutsideDeps,
  ) {
    this.rules = config.rules;
    this.#http1 = http1Pools({ clock, lookUp, ownAddresses });
    this.#http2 = http2Pools({ clock, lookUp, ownAddresses });
    const { secretsDirectory: directory, secretsAdvice: advice, variable } = config;
    this.#secrets = new EndpointSecrets({ directory, advice, variable, clock });
  }

  http1PoolFor(call: PermittedExternalCall): Result<OutsideHttp1Pool | undefined, NotConnected> {
    return this.#poolFor(call, this.#http1);
  }

  http2PoolFor(call: PermittedExternalCall): Result<OutsideHttp2Pool | undefined, NotConnected> {
    return this.#poolFor(call, this.#http2);
  }

  headersOf(headers: readonly EndpointHeader[]): Result<Headers, NotConnected> {
    const fields: string[] = [];
    for (const { name, value } of headers) {
      const read = this.#secrets.valueOf(value);
      if (!read.ok) return unconfigured(`the header ${name}: ${read.error}`);
      fields.push(name, Buffer.from(read.value).toString('latin1'));
    }
    const flaw = flawIn(fields);
    return flaw === undefined
      ? ok(fields)
      : err({ kind: 'unconfigured', cause: `its headers cannot be sent: ${flaw}` });
  }

  advice(): string {
    return this.rules.current().advice;
  }

  /** Breaks off everything. */
  close(): void {
    this.#http1.destroy();
    this.#http2.destroy();
  }

  /** Undefined: so many places are called at once that there is no room for another. */
  #poolFor<P extends OutsideHttp1Pool | OutsideHttp2Pool>(
    { target, reach }: PermittedExternalCall,
    pools: OutsidePools<P>,
  ): Result<P | undefined, NotConnected> {
    const { origin, endpoint } = target;
    const { allowed } = this.rules.current();
    const material = endpoint === undefined ? NO_MATERIAL : readMaterial(endpoint.tls, this.#secrets);
    if (!material.ok) return unconfigured(material.error);
    const place = originText(origin);
    const pool = pools.get({
      origin,
      isAllowed: mayConnect(origin, reach, allowed),
      key: endpoint === undefined ? place : `endpoint ${endpoint.name}`,
      version: JSON.stringify([place, reach, allowed, material.value]),
      secureContext: () => (origin.scheme === 'https' ? secureContextOf(material.value) : ok(undefined)),
    });
    return pool.ok ? pool : unconfigured(pool.error);
  }
}

const NO_MATERIAL = ok<Material>({ rootCA: undefined, certificate: undefined, privateKey: undefined });

function unconfigured(cause: string): Result<never, NotConnected> {
  return err({ kind: 'unconfigured', cause });
}

/** As the system would have it: the hosts file, and then its name servers. */
const platformLookUp: LookUp = (host, done) => {
  lookup(host, { all: true }, (error, found) => done(error, error === null ? found.map(({ address }) => address) : []));
};

function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}
