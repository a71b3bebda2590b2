// What the platform throws, and how to read it: a code for programs, a message for people.

/** Such as `ENOENT`; undefined where there is none. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Of a file or a folder that somebody named: why it cannot be read. */
export function whyUnreadable(error: unknown): string {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'it does not exist',
    ENOTDIR: 'it is not a folder',
    EISDIR: 'it is a folder',
    EACCES: 'permission denied',
  };
  return words[codeOf(error) ?? ''] ?? messageOf(error);
}
