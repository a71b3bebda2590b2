// The shape of the examples, and short ways to write them.
import { GROUP, VERSION } from '../../pod.ts';

export type ExampleObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: object;
};

export interface GoodExample {
  readonly says: string;
  readonly object: ExampleObject;
}

export interface BadExample extends GoodExample {
  /** Part of what kubectl prints. */
  readonly refusal: string;
  /** Part of what our own reading says, where the API server has words of its own; null: what only it can see. */
  readonly ours?: string | null;
}

export interface LateExample extends GoodExample {
  /** The API server takes it, as CEL cannot say what is wrong; its status does, with this in it. */
  readonly mistake: string;
}

export function example(kind: string, spec: object, name = 'example'): ExampleObject {
  return { apiVersion: `${GROUP}/${VERSION}`, kind, metadata: { name }, spec };
}

export const access = (spec: object) => example('AccessPolicy', spec);
export const rules = (...rules: object[]) => access({ rules });
export const operation = (to: object) => rules({ name: 'orders', to: [to] });
export const resiliency = (spec: object) => example('Resiliency', spec);
export const policies = (policies: object) => resiliency({ policies });
export const target = (target: object) =>
  resiliency({ policies: { timeouts: { short: '2s' } }, targets: { apps: { orders: target } } });
export const namespace = (spec: object, name?: string) => example('NamespacePolicy', spec, name);
export const endpoint = (spec: object, name?: string) =>
  example('HTTPEndpoint', { baseUrl: 'https://bank.example', ...spec }, name);
export const sidecar = (sidecar: object) => namespace({ sidecar });
