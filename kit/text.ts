// Text that came from outside, made fit for a log line or a message: it must not be able to write lines of its own,
// steer a terminal, or drown what is said about it.

/** The text with control characters and Unicode line ends escaped as in JSON. */
export function printable(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Bad input, to be quoted in a message: printable, and cut where it is long. */
export function excerpt(text: string, charactersMax = 80): string {
  return printable(text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text);
}
