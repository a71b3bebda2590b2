// What Envoy has of rules and resilience, in its own words: RBAC filters at the app's sidecar, at the caller's a retry policy with a
// timeout for each try, consistent hashing, limits (its "circuit breakers") and outlier detection.
import { ARMED_RULES, type ArmedRule } from './armed.ts';
import { type Shape, speaksGrpc } from './pair.ts';

const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC';

/** One that denies and one that allows: its rules have no other order. */
export function armedFilters(shape: Shape, clientUri: string): readonly unknown[] {
  const filterOf = (action: ArmedRule['action']) => {
    const own = ARMED_RULES.filter((rule) => rule.action === action);
    const policies = Object.fromEntries(own.map((rule) => [rule.name, policyOf(rule, shape, clientUri)]));
    const rules = { action: action.toUpperCase(), policies };
    return { name: `envoy.filters.http.rbac.${action}`, typed_config: { '@type': RBAC, rules } };
  };
  return [filterOf('deny'), filterOf('allow')];
}

function policyOf({ callers, methods, folder, grpc }: ArmedRule, shape: Shape, clientUri: string) {
  const path = (matcher: object) => ({ url_path: { path: matcher } });
  const method = (exact: string) => ({ header: { name: ':method', string_match: { exact } } });
  const ofHttp = {
    and_rules: { rules: [{ or_rules: { rules: methods.map(method) } }, path({ prefix: `${folder}/` })] },
  };
  const ofGrpc = path({ exact: `/${grpc.service}/${grpc.method}` });
  const uriOf = (app: string) => clientUri.replace(/[^/]*$/, app);
  return {
    permissions: [speaksGrpc(shape) ? ofGrpc : ofHttp],
    principals: callers.map((app) => ({ authenticated: { principal_name: { exact: uriOf(app) } } })),
  };
}

export const armedRoute = {
  timeout: '30s',
  retry_policy: { retry_on: '5xx,reset,connect-failure', num_retries: 3, per_try_timeout: '10s' },
  hash_policy: [{ header: { header_name: 'x-request-id' } }],
};

export const armedCluster = {
  lb_policy: 'RING_HASH',
  circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 3 } }] },
  outlier_detection: { consecutive_5xx: 5, base_ejection_time: '10s', max_ejection_percent: 50 },
};
