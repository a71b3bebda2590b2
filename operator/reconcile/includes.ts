// Whether an object says everything that we would write, whatever else others have added: then nothing has to be written.

/**
 * Maps may hold more, and lists more elements in any order. `false` and what is not there are one: the API server leaves
 * out what Go takes for empty.
 */
export function includes(actual: unknown, wanted: unknown): boolean {
  if (wanted === false || wanted === undefined) return actual === undefined || actual === false;
  if (Array.isArray(wanted)) return Array.isArray(actual) && wanted.every((one) => hasOneLike(actual, one));
  if (!isMap(wanted)) return Object.is(actual, wanted);
  return isMap(actual) && Object.entries(wanted).every(([key, value]) => includes(actual[key], value));
}

function hasOneLike(actual: readonly unknown[], wanted: unknown): boolean {
  return actual.some((one) => includes(one, wanted));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
