// What `invokectl call` is asked for, read and checked.
import type { Target } from '../api/ids.ts';
import type { SidecarSettings } from './flags.ts';

export interface CallRequest {
  readonly settings: SidecarSettings;
  readonly target: Target;
  /** The path at the app, without its leading slash, and the query if any. */
  readonly method: string;
  readonly verb: string | undefined;
  /** [name, value, …] */
  readonly headers: readonly string[];
  readonly body: BodySource | undefined;
  /** Prints the status line and the headers too. */
  readonly isVerbose: boolean;
}

export type BodySource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' };

/** `-` is the standard input, `@file` a file, anything else the body itself. */
export function parseBodySource(text: string): BodySource {
  if (text === '-') return { kind: 'stdin' };
  return text.startsWith('@') ? { kind: 'file', path: text.slice(1) } : { kind: 'text', text };
}
