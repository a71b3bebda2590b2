// An object of ours as the API server sends it. The metadata fits the Kubernetes client's type for it, which this room may
// not import.
import type { Status } from './status.ts';

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name: string;
  /** Left out for what belongs to the whole cluster. */
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  /** Grows with each change of the spec. */
  generation?: number;
  /** By the Kubernetes client's types a date; in JSON a string. `createdMs` reads both. */
  creationTimestamp?: Date;
  deletionTimestamp?: Date;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

export interface Resource<Spec, Said extends Status = Status> {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: Spec;
  status?: Said;
}

/** Epoch milliseconds; 0 for an object that was never stored. */
export function createdMs({ creationTimestamp }: ObjectMeta): number {
  return creationTimestamp === undefined ? 0 : new Date(creationTimestamp).getTime();
}
