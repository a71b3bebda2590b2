// Everything a sidecar needs to know before it starts, checked and complete. Whoever starts one (the CLI, a test) makes
// this from flags and environment; nothing past this point reads either.
import type { AppHealthConfig } from '../api/app-health.ts';
import type { AppProbe } from '../api/app-probe.ts';
import type { AppProtocol } from '../api/app-protocol.ts';
import type { AppId, Namespace, Target, TrustDomain } from '../api/ids.ts';
import type { SentryEndpoint } from '../identity/sentry-client.ts';
import type { Snapshot } from '../kit/snapshot.ts';
import type { PlacedResiliency } from '../policy/resiliency/settle.ts';
import type { AppTlsConfig } from './app/tls.ts';
import type { AccessResources } from './authorize/resources.ts';
import type { OutsideConfig } from './external/outside.ts';

/** A port to listen on. `isFlexible`: another free one will do when it is taken. 0 is any free port. */
export interface PortChoice {
  readonly port: number;
  readonly isFlexible: boolean;
}

export type PortSettings = Readonly<Record<'http' | 'grpc' | 'peer' | 'public' | 'metrics', string>>;

export interface AppConfig {
  /** Undefined for a program that only calls. */
  readonly port: number | undefined;
  readonly host: string;
  /** What it speaks on its port; http unless it is said. */
  readonly protocol?: AppProtocol;
  /** Of `https` and `grpcs`. */
  readonly tls?: AppTlsConfig;
  /** How many calls may be in it at once; undefined for any number. */
  readonly maxConcurrency?: number | undefined;
  /** Undefined: its health is not asked for. */
  readonly health?: AppHealthConfig | undefined;
  /** Of the pod's containers, done in the kubelet's place. */
  readonly probes?: readonly AppProbe[] | undefined;
  /** Sent to the app as `dapr-api-token`, so that it knows its own sidecar. */
  readonly token: string | undefined;
}

/** Where names come from outside of a cluster; see resolve/open-names.ts. */
export type NamesConfig =
  | { readonly kind: 'registry'; readonly directory: string }
  | { readonly kind: 'mdns'; readonly interfaceAddress: string | undefined }
  | { readonly kind: 'static'; readonly peers: readonly StaticPeer[] };

export interface StaticPeer {
  readonly target: Target;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
}

export interface SidecarConfig {
  readonly appId: AppId;
  readonly namespace: Namespace;
  readonly trustDomain: TrustDomain;
  readonly app: AppConfig;
  readonly sentry: SentryEndpoint;

  readonly httpPort: PortChoice;
  /** The app API over gRPC; undefined: not served. */
  readonly grpcPort: PortChoice | undefined;
  readonly peerPort: PortChoice;
  /** Health alone, for probes from outside; undefined: not served. */
  readonly publicPort: PortChoice | undefined;
  readonly metricsPort: PortChoice | undefined;
  /** Where the app API and the metrics listen. */
  readonly listenAddresses: readonly string[];
  /** Where the metrics listen, if elsewhere. */
  readonly metricsListenAddresses?: readonly string[];
  readonly peerListenAddress: string;

  /** How people move these ports, for the message that one is taken; by default flags. */
  readonly portSettings?: PortSettings;

  /** Largest request body in bytes; Infinity for none. */
  readonly bodyBytesMax: number;
  /** Protocols that requests may go on in (Upgrade), beside WebSocket; in lower case. None by default. */
  readonly upgradeProtocols?: readonly string[];
  /** At which peers reach it; those of the machine by default. */
  readonly ownAddresses?: readonly string[];
  /** How many calls may lead to one another (api/hops.ts). */
  readonly hopsMax?: number | undefined;
  /** How long calls in flight may go on once the sidecar is told to stop. */
  readonly gracefulShutdownMs: number;
  /** Asked of apps as `dapr-api-token`; undefined: not asked. */
  readonly apiToken: string | undefined;
  /** Web origins that may call the app API; `*` allows all. */
  readonly allowedOrigins: readonly string[];
  /** Host names by which the app API may be called, beside loopback and IP literals. */
  readonly allowedHosts: readonly string[];
  /** What may be called that has no sidecar, and how; undefined: nothing. */
  readonly outside?: OutsideConfig;
  /** Who may call whom. Where there is an operator, its feed says so, and not this; undefined: everybody may. */
  readonly access?: Snapshot<AccessResources>;
  /** How calls survive what goes wrong. Where there is an operator, its feed says so, and not this; undefined: as built in. */
  readonly resiliencies?: Snapshot<readonly PlacedResiliency[]>;
  /** What people should know of how it is set up just now, for its metadata. */
  readonly notices?: () => Readonly<Record<string, string>>;
  /** `honest`: see api/fault.ts. `dapr`: 500 wherever Dapr says 500. */
  readonly statuses: 'honest' | 'dapr';
}
