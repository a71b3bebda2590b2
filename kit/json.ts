// JSON that somebody else wrote: that it is none is a value.
import { messageOf } from './errors.ts';
import { err, ok, type Result } from './result.ts';

/** What it says, of whatever shape; or where it ceases to be JSON. */
export function parseJson(text: string): Result<unknown> {
  try {
    return ok(JSON.parse(text));
  } catch (error) {
    return err(messageOf(error));
  }
}
