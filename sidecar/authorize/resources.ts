// What is known of who may call whom, as it was read and before rules are made of it for one app.
import type { UnreadablePolicy } from '../../policy/access/compile.ts';
import type { PlacedPolicy } from '../../policy/access/rule.ts';
import type { Outcome } from '../../policy/access/verdict.ts';
import type { NamespaceAccess } from '../../policy/fence/read-fence.ts';

/** In a pod what concerns the app, on a laptop what the folders hold. */
export interface AccessResources {
  readonly policies: readonly (PlacedPolicy | UnreadablePolicy)[];
  readonly namespaces: readonly PlacedNamespaceAccess[];
  /** Other namespaces whose `mayCall` does not have this app. */
  readonly barred: readonly string[];
  readonly installation: Outcome;
}

export interface PlacedNamespaceAccess {
  readonly namespace: string;
  /** Undefined: it cannot be read, and why. */
  readonly access: NamespaceAccess | undefined;
  readonly reason?: string;
}

export const EVERYBODY_MAY: AccessResources = { policies: [], namespaces: [], barred: [], installation: 'allow' };
