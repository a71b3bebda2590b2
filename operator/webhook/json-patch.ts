// What leads from one JSON value to another, as JSON Patch (RFC 6902). Small rather than minimal: of two lists, what they
// have in common at both ends stays.

export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

export function jsonDiff(before: unknown, after: unknown, path = ''): readonly PatchOperation[] {
  if (isSame(before, after)) return [];
  if (isObject(before) && isObject(after)) return objectDiff(before, after, path);
  if (Array.isArray(before) && Array.isArray(after)) return listDiff(before, after, path);
  return [{ op: 'replace', path, value: after }];
}

type JsonObject = Readonly<Record<string, unknown>>;

/** A field that is undefined is not there, as in JSON text. */
function objectDiff(before: JsonObject, after: JsonObject, path: string): readonly PatchOperation[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key): readonly PatchOperation[] => {
    const [was, is] = [fieldOf(before, key), fieldOf(after, key)];
    const at = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (was === undefined) return is === undefined ? [] : [{ op: 'add', path: at, value: is }];
    return is === undefined ? [{ op: 'remove', path: at }] : jsonDiff(was, is, at);
  });
}

function listDiff(before: readonly unknown[], after: readonly unknown[], path: string): readonly PatchOperation[] {
  const shorter = Math.min(before.length, after.length);
  const head = countWhile(shorter, (i) => isSame(before[i], after[i]));
  const tail = countWhile(shorter - head, (i) => isSame(before.at(-1 - i), after.at(-1 - i)));
  const was = before.slice(head, before.length - tail);
  const is = after.slice(head, after.length - tail);
  const both = Math.min(was.length, is.length);
  return [
    ...was.slice(0, both).flatMap((item, i) => jsonDiff(item, is[i], `${path}/${head + i}`)),
    ...was.slice(both).map((): PatchOperation => ({ op: 'remove', path: `${path}/${head + both}` })),
    ...is.slice(both).map((value, i): PatchOperation => ({ op: 'add', path: `${path}/${head + both + i}`, value })),
  ];
}

function countWhile(max: number, holds: (i: number) => boolean): number {
  let count = 0;
  while (count < max && holds(count)) count++;
  return count;
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => isSame(fieldOf(a, key), fieldOf(b, key)));
}

function fieldOf(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
