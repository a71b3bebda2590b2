// A sample of the decision table, for the suite about access: the policies, and what they make of which call.
import type { Manifest } from './kubectl.ts';

export const FRONT = 'e2e-access-front';
export const BACK = 'e2e-access-back';
export const SHOP = 'e2e-access-shop';
export const WEB = `web.${FRONT}`;
export const JOB = `job-nightly.${FRONT}`;
export const OTHER_WEB = `web.${BACK}`;
export const CALLERS = [WEB, JOB, OTHER_WEB] as const;
export type Caller = (typeof CALLERS)[number];

export function accessPolicy(name: string, spec: object): Manifest {
  return { apiVersion: 'invoke.io/v1alpha1', kind: 'AccessPolicy', metadata: { name, namespace: SHOP }, spec };
}

export const READS = {
  name: 'web-reads',
  from: [{ app: 'web', namespace: FRONT }],
  to: [{ methods: ['GET'], paths: ['/orders', '/orders/{id}', '/calls', '/socket', '/events'] }],
};
const JOBS = { name: 'jobs', from: [{ app: 'job-*', namespace: FRONT }] };
const NO_DELETES = { name: 'nobody-deletes', action: 'deny', to: [{ methods: ['DELETE'] }] };
const NO_ADMIN = { name: 'not-admin', action: 'deny', to: [{ paths: ['/admin/**'] }] };
export const ORDERS = accessPolicy('orders', { apps: ['orders'], rules: [READS, JOBS, NO_DELETES, NO_ADMIN] });
const STOCK_READS = {
  name: 'web-asks',
  from: [{ app: 'web', namespace: FRONT }],
  to: [{ grpc: ['shop.v1.Orders/E*', 'shop.v1.Orders/Talk'] }],
};
export const STOCK = accessPolicy('stock', { apps: ['stock'], rules: [STOCK_READS] });
export interface Row {
  readonly caller: Caller;
  /** METHOD app path. */
  readonly call: string;
  readonly status: '200' | '403' | '0' | '7';
  /** What the denial names. */
  readonly by?: string;
  readonly claims?: string;
}

export const ROWS: readonly Row[] = [
  { caller: WEB, call: 'GET orders /orders', status: '200' },
  { caller: WEB, call: 'GET orders /orders/7', status: '200' },
  { caller: WEB, call: 'HEAD orders /orders/7', status: '200' },
  { caller: WEB, call: 'GET orders /%6Frders', status: '200' },
  { caller: WEB, call: 'GET orders /orders/7/lines', status: '403', by: `default of ${SHOP}/orders` },
  { caller: WEB, call: 'GET orders /Orders', status: '403', by: `default of ${SHOP}/orders` },
  { caller: WEB, call: 'POST orders /orders', status: '403', by: `default of ${SHOP}/orders` },
  { caller: WEB, call: 'DELETE orders /orders/7', status: '403', by: `rule ${SHOP}/orders/nobody-deletes` },
  { caller: OTHER_WEB, call: 'GET orders /orders', status: '403', by: `default of ${SHOP}/orders` },
  { caller: OTHER_WEB, call: 'GET orders /orders', status: '403', claims: 'job-nightly', by: `${BACK}/web` },
  { caller: JOB, call: 'POST orders /orders', status: '200' },
  { caller: JOB, call: 'DELETE orders /orders/7', status: '403', by: `rule ${SHOP}/orders/nobody-deletes` },
  { caller: JOB, call: 'GET orders /admin', status: '403', by: `rule ${SHOP}/orders/not-admin` },
  { caller: JOB, call: 'GET orders /ADMIN/users', status: '403', by: `rule ${SHOP}/orders/not-admin` },
  { caller: JOB, call: 'GET orders /x/../%2561dmin;v=1/users', status: '403', by: `rule ${SHOP}/orders/not-admin` },
  { caller: JOB, call: 'GET orders /administrator', status: '200' },
  { caller: WEB, call: 'GRPC stock', status: '0' },
  { caller: OTHER_WEB, call: 'GRPC stock', status: '7', by: `default of ${SHOP}/stock` },
  { caller: JOB, call: 'GRPC stock', status: '7', by: `default of ${SHOP}/stock` },
  { caller: OTHER_WEB, call: 'GET open /anything', status: '200' },
];
