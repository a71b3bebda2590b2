// Names in which `*` stands for any characters, none included: app ids, namespaces, services and methods of gRPC.
//
// A pattern is cut into the texts between its stars, and those are looked for from left to right: there is never a reason to
// go back, so that no pattern and no name can make it slow.

export interface Glob {
  /** What the name begins with. */
  readonly head: string;
  /** What comes after that, in this order. */
  readonly middle: readonly string[];
  /** What the name ends with; undefined where there is no star, and `head` is the whole name. */
  readonly tail: string | undefined;
}

export function parseGlob(pattern: string): Glob {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  return { head, middle: rest.filter((text) => text !== ''), tail };
}

export function matchesGlob({ head, middle, tail }: Glob, name: string): boolean {
  if (tail === undefined) return name === head;
  if (!name.startsWith(head)) return false;
  let at = head.length;
  for (const text of middle) {
    const found = name.indexOf(text, at);
    if (found < 0) return false;
    at = found + text.length;
  }
  return name.length - tail.length >= at && name.endsWith(tail);
}
