// For tests: server-side apply of a status, as far as two parts that write one status need it. Conditions are merged by their type,
// and what a field manager said before and says no longer goes. That two managers say the same field does not occur.
import { merge } from './json-patch.ts';

export interface AppliedStatuses {
  /** The status of the object with that uid, once the manager has said this of it. */
  apply(uid: string, manager: string, before: unknown, said: unknown): unknown;
}

export function appliedStatuses(): AppliedStatuses {
  const saidBy = new Map<string, unknown>();
  return {
    apply(uid, manager, before, said) {
      const key = `${uid} ${manager}`;
      const left = without(withKeys(before), withKeys(saidBy.get(key)));
      saidBy.set(key, said);
      return withLists(merge(left, withKeys(said)));
    },
  };
}

/** Conditions as a map, by their types. */
function withKeys(status: unknown): unknown {
  if (!isMap(status) || !Array.isArray(status.conditions)) return status;
  return { ...status, conditions: Object.fromEntries(status.conditions.map((one) => [one.type, one])) };
}

function withLists(status: unknown): unknown {
  if (!isMap(status) || !isMap(status.conditions)) return status;
  const { conditions, ...rest } = status;
  const list = Object.values(conditions);
  return list.length === 0 ? rest : { ...rest, conditions: list };
}

function without(live: unknown, said: unknown): unknown {
  if (!isMap(live) || !isMap(said)) return live;
  const left = Object.entries(live).flatMap(([field, value]) => {
    if (!(field in said)) return [[field, value] as const];
    const rest = isMap(value) ? without(value, said[field]) : undefined;
    return isMap(rest) && Object.keys(rest).length > 0 ? [[field, rest] as const] : [];
  });
  return Object.fromEntries(left);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
