// Everything the operator needs to know before it starts. main.ts makes it from the environment, which the chart sets.
import type { Namespace, TrustDomain } from '../api/ids.ts';
import type { ProgramConfig } from '../kube/program.ts';

export interface OperatorConfig extends ProgramConfig {
  /** Our own namespace. */
  readonly namespace: Namespace;
  /** This replica's name, unique: the pod's. */
  readonly replica: string;
  readonly trustDomain: TrustDomain;
  readonly clusterDomain: string;
  /** What becomes of calls where neither an AccessPolicy nor the namespace says anything. */
  readonly defaultAccess: 'allow' | 'deny';
  /** The names of the webhook configurations that the chart made, whose `caBundle` we keep. */
  readonly mutatingWebhook: string;
  readonly validatingWebhook: string;
  /** What an injected container runs. */
  readonly sidecar: {
    readonly image: string;
    readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
    /** As annotations without their prefix: what holds where neither the pod nor its namespace says otherwise. */
    readonly defaults: Readonly<Record<string, string>>;
  };
  readonly ports: {
    readonly webhook: number;
    readonly feed: number;
    readonly health: number;
    readonly metrics: number;
  };
}
