// The part of a NamespacePolicy that says how sidecars of the namespace are set up where a pod says nothing.
import type * as z from 'zod';
import { LOG_FORMATS, LOG_LEVELS } from '../../kit/log.ts';
import { parseSize } from '../../kit/quantity.ts';
import { cpu, size } from './fields.ts';
import { integer, object, oneOf, type Rule, ruled, yesOrNo } from './schema.ts';

type Amount = string | number | undefined;
interface Resources {
  readonly requests?: { readonly cpu?: Amount; readonly memory?: Amount } | undefined;
  readonly limits?: { readonly cpu?: Amount; readonly memory?: Amount } | undefined;
}

const resources = ruled(
  object('CPU and memory of the sidecar container.', {
    requests: object('What is set aside for it.', {
      cpu: cpu('CPU, such as 100m.').optional(),
      memory: size('Memory, such as 64Mi.').optional(),
    }).optional(),
    limits: object('What it may use at most.', {
      cpu: cpu('CPU, such as 1.').optional(),
      memory: size('Memory, such as 256Mi.').optional(),
    }).optional(),
  }),
  notAboveLimit('cpu', cores),
  notAboveLimit('memory', bytes),
);

export const sidecar = object('How sidecars are set up where the annotations of a pod do not say otherwise.', {
  resources: resources.optional(),
  logLevel: oneOf('The least important lines that are logged.', LOG_LEVELS).optional(),
  logFormat: oneOf('How log lines are written.', LOG_FORMATS).optional(),
  maxBodySize: size('The largest request body. 0: no limit.').optional(),
  gracefulShutdownSeconds: integer('How long calls in flight may take to end at shutdown.', 0, 3600).optional(),
  metrics: object('Metrics of the sidecar.', {
    enabled: yesOrNo('Whether they are served.').optional(),
    port: integer('The port that serves them.', 1, 65_535).optional(),
  }).optional(),
});

export type SidecarDefaults = z.output<typeof sidecar>;

/**
 * As annotations without their prefix, in text: `sidecar-cpu-request`, `log-level` … So there is one reading of such values,
 * that of annotations, and not two.
 */
export function asAnnotations(defaults: SidecarDefaults): Readonly<Record<string, string>> {
  const { resources, metrics, ...rest } = defaults;
  const values = {
    'sidecar-cpu-request': resources?.requests?.cpu,
    'sidecar-memory-request': resources?.requests?.memory,
    'sidecar-cpu-limit': resources?.limits?.cpu,
    'sidecar-memory-limit': resources?.limits?.memory,
    'log-level': rest.logLevel,
    'log-as-json': rest.logFormat && rest.logFormat === 'json',
    'max-body-size': rest.maxBodySize,
    'graceful-shutdown-seconds': rest.gracefulShutdownSeconds,
    'enable-metrics': metrics?.enabled,
    'metrics-port': metrics?.port,
  };
  const set = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set.map(([key, value]) => [key, String(value)]));
}

/** The API server would refuse every pod with such a sidecar. */
function notAboveLimit(what: 'cpu' | 'memory', amountOf: (text: string) => number): Rule<Resources> {
  const [request, limit] = [`self.requests.${what}`, `self.limits.${what}`];
  return {
    cel: `!has(self.requests) || !has(${request}) || !has(self.limits) || !has(${limit}) || !isQuantity(string(${request})) || !isQuantity(string(${limit})) || quantity(string(${request})).compareTo(quantity(string(${limit}))) <= 0`,
    holds: ({ requests, limits }) => {
      const [least, most] = [requests?.[what], limits?.[what]];
      return least === undefined || most === undefined || amountOf(String(least)) <= amountOf(String(most));
    },
    message: `the request of ${what} is above its limit; raise the limit, or lower the request`,
  };
}

function cores(text: string): number {
  return text.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : Number(text);
}

function bytes(text: string): number {
  const parsed = parseSize(text);
  return parsed.ok ? parsed.value : 0;
}
