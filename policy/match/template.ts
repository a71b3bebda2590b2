// Path templates, such as /orders/{id} and /files/**, as a list of steps. What they may look like is said to people by
// api/resources/fields.ts; here it is read, and what cannot be read is refused, since in an index it would match nothing.
import { canonicalPath } from '../../api/path.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { excerpt } from '../../kit/text.ts';

export interface Template {
  /** Undefined stands for one whole segment that is not empty. The last one is '' where the path ends in a slash. */
  readonly steps: readonly (string | undefined)[];
  /** Any number of further segments may follow, none included. */
  readonly isOpen: boolean;
}

/** Every path. */
export const EVERY_PATH: Template = { steps: [], isOpen: true };

const NAME = /^\{\w+\}$/;
const RESERVED = /[*{}?#\s]/;

export function parseTemplate(text: string): Result<Template> {
  const isOpen = text.endsWith('/**');
  const closed = isOpen ? text.slice(0, -'/**'.length) : text;
  if (isOpen && closed === '') return ok(EVERY_PATH);
  if (!closed.startsWith('/')) return err(`"${excerpt(text)}" is no path template; one begins with a slash`);
  const steps = closed.slice(1).split('/');
  const plain = steps.map((step) => (NAME.test(step) ? 'x' : step));
  if (plain.some((step) => RESERVED.test(step)))
    return err(`"${excerpt(text)}" is no path template; write such as /orders/{id} or /files/**`);
  const written = `/${plain.join('/')}`;
  const canonical = canonicalPath(written);
  if (!canonical.ok || canonical.value !== written || (isOpen && written.endsWith('/')))
    return err(`"${excerpt(text)}" is not written as paths are judged, and would never match`);
  return ok({ steps: steps.map((step) => (NAME.test(step) ? undefined : step)), isOpen });
}
