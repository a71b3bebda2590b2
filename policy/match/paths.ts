// Finds what is kept under the path templates that a path fits: a tree of segments. A path is walked down once, along every
// branch that it fits; how long that takes depends on the templates, however long the path is.
import type { Template } from './template.ts';

interface Node<Value> {
  readonly literals: Map<string, Node<Value>>;
  /** Below a segment of any name. */
  named: Node<Value> | undefined;
  /** For the path that ends here. */
  ends: Value | undefined;
  /** For the path that ends here or goes on. */
  goesOn: Value | undefined;
}

export class PathIndex<Value> {
  readonly #root: Node<Value> = newNode();
  #depth = 0;
  #size = 0;

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** So many segments of a path are enough to find everything: more than that, and only open templates fit. */
  get segmentsNeeded(): number {
    return this.#depth + 1;
  }

  /** What is kept under the template; made if there is nothing yet. */
  at({ steps, isOpen }: Template, make: () => Value): Value {
    let node = this.#root;
    for (const step of steps) node = step === undefined ? namedBelow(node) : literalBelow(node, step);
    this.#depth = Math.max(this.#depth, steps.length);
    const known = isOpen ? node.goesOn : node.ends;
    if (known !== undefined) return known;
    const value = make();
    this.#size++;
    if (isOpen) node.goesOn = value;
    else node.ends = value;
    return value;
  }

  /** Adds all that the path leads to, in no order that means anything. */
  find(segments: readonly string[], found: Value[]): void {
    if (this.#size > 0) walk(this.#root, segments, 0, found);
  }
}

function newNode<Value>(): Node<Value> {
  return { literals: new Map(), named: undefined, ends: undefined, goesOn: undefined };
}

function namedBelow<Value>(node: Node<Value>): Node<Value> {
  node.named ??= newNode();
  return node.named;
}

function literalBelow<Value>(node: Node<Value>, step: string): Node<Value> {
  const known = node.literals.get(step);
  if (known !== undefined) return known;
  const fresh = newNode<Value>();
  node.literals.set(step, fresh);
  return fresh;
}

function walk<Value>(node: Node<Value>, segments: readonly string[], at: number, found: Value[]): void {
  if (node.goesOn !== undefined) found.push(node.goesOn);
  const segment = segments[at];
  if (segment === undefined) {
    if (node.ends !== undefined) found.push(node.ends);
    return;
  }
  const literal = node.literals.get(segment);
  if (literal !== undefined) walk(literal, segments, at + 1, found);
  if (node.named !== undefined && segment !== '') walk(node.named, segments, at + 1, found);
}
