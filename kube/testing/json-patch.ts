// For tests: JSON Patch (RFC 6902) and the merge that stands in for server-side apply.

export type PatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly path: string; readonly from: string };

/** Throws where a path leads nowhere or a test fails. The document itself stays as it is. */
export function jsonPatch(document: unknown, operations: readonly PatchOperation[]): unknown {
  return operations.reduce(applyOne, structuredClone(document));
}

/** Objects are merged, anything else is replaced: lists, too, where a real server would merge some of them by key. */
export function merge(base: unknown, changes: unknown): unknown {
  if (!isRecord(base) || !isRecord(changes)) return changes;
  const merged: Record<string, unknown> = { ...base };
  for (const [field, value] of Object.entries(changes)) merged[field] = merge(base[field], value);
  return merged;
}

function applyOne(document: unknown, operation: PatchOperation): unknown {
  switch (operation.op) {
    case 'add':
      return put(document, operation.path, operation.value);
    case 'remove':
      return take(document, operation.path);
    case 'replace':
      return put(take(document, operation.path), operation.path, operation.value);
    case 'copy':
      return put(document, operation.path, structuredClone(find(document, operation.from)));
    case 'move':
      return put(take(document, operation.from), operation.path, find(document, operation.from));
    case 'test':
      if (JSON.stringify(find(document, operation.path)) === JSON.stringify(operation.value)) return document;
      throw new Error(`testing path ${operation.path}: value is different`);
  }
}

function find(document: unknown, path: string): unknown {
  return tokens(path).reduce((at: unknown, token) => {
    const found = Array.isArray(at) ? at[indexIn(at, token)] : isRecord(at) ? at[token] : undefined;
    if (found === undefined) throw new Error(`there is nothing at ${path}`);
    return found;
  }, document);
}

/** A copy without the value at the path, along which alone it is copied. */
function take(document: unknown, path: string): unknown {
  find(document, path);
  return edit(document, tokens(path), (parent, last) => {
    if (Array.isArray(parent)) return parent.toSpliced(indexIn(parent, last), 1);
    const { [last]: _, ...rest } = parent;
    return rest;
  });
}

function put(document: unknown, path: string, value: unknown): unknown {
  if (path === '') return value;
  return edit(document, tokens(path), (parent, last) => {
    if (!Array.isArray(parent)) return { ...parent, [last]: value };
    return parent.toSpliced(last === '-' ? parent.length : indexIn(parent, last), 0, value);
  });
}

type Container = Record<string, unknown> | unknown[];

function edit(
  document: unknown,
  way: readonly string[],
  change: (parent: Container, last: string) => unknown,
): unknown {
  const [step = '', ...rest] = way;
  if (!Array.isArray(document) && !isRecord(document)) throw new Error(`there is nothing to hold ${step}`);
  if (rest.length === 0) return change(document, step);
  if (Array.isArray(document)) {
    const index = indexIn(document, step);
    return document.with(index, edit(document[index], rest, change));
  }
  return { ...document, [step]: edit(document[step], rest, change) };
}

function tokens(path: string): string[] {
  if (path === '') return [];
  if (!path.startsWith('/')) throw new Error(`not a JSON pointer: ${path}`);
  const unescaped = (token: string) => token.replaceAll('~1', '/').replaceAll('~0', '~');
  return path.slice(1).split('/').map(unescaped);
}

function indexIn(list: readonly unknown[], token: string): number {
  const index = /^(0|[1-9]\d*)$/.test(token) ? Number(token) : list.length + 1;
  if (index > list.length) throw new Error(`no such index: ${token}`);
  return index;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
