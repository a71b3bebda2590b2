// The ways in which a server may read one canonical path: %2F and %5C as part of a segment or as slashes; and, more broadly,
// without looking at letter case, at a trailing slash, or at what follows a semicolon in a segment.
import type { CanonicalPath } from '../../api/path.ts';
import type { Template } from './template.ts';

/** The path itself first, and then what a server makes of it that takes some of these triplets for slashes. */
export function slashReadings(path: CanonicalPath): readonly string[] {
  const hasSlash = path.includes('%2F');
  const hasBackslash = path.includes('%5C');
  if (!hasSlash && !hasBackslash) return [path];
  const read = (triplets: RegExp) => path.replaceAll(triplets, '/').replaceAll(/\/{2,}/g, '/');
  if (!hasBackslash) return [path, read(/%2F/g)];
  if (!hasSlash) return [path, read(/%5C/g)];
  return [path, read(/%2F/g), read(/%5C/g), read(/%2F|%5C/g)];
}

/** As they are. Not all of them, where fewer are needed. */
export function exactSegments(path: string, needed: number): readonly string[] {
  return path.slice(1).split('/', needed);
}

/** As a server takes them that is careless of everything but what follows a semicolon. */
export function broadSegments(path: string): readonly string[] {
  return path.split('/').map(broadSegment).filter(isThere);
}

/** The same, for a server that does away with what follows a semicolon. */
export function cutSegments(path: string): readonly string[] {
  return path.split('/').map(cutSegment).filter(isThere);
}

/** Whether the two above may differ. */
export function hasSemicolon(path: string): boolean {
  return path.includes(';') || path.includes('%3B');
}

/** Templates that match broadly whatever this one matches exactly, and more. */
export function broadTemplates({ steps, isOpen }: Template): readonly Template[] {
  const broad = (fold: (segment: string) => string): Template => ({
    steps: steps.map((step) => (step === undefined ? undefined : fold(step))).filter((step) => step !== ''),
    isOpen,
  });
  const isCut = steps.some((step) => step !== undefined && hasSemicolon(step));
  return isCut ? [broad(broadSegment), broad(cutSegment)] : [broad(broadSegment)];
}

/** Without letter case, and with nothing encoded: `%21` and `!` are one character to whoever decodes. */
export function broadSegment(segment: string): string {
  if (!segment.includes('%')) return segment.toLowerCase();
  // Canonical paths hold valid UTF-8 alone. By way of upper case, as some letters have two lower ones.
  return decodeURIComponent(segment).toUpperCase().toLowerCase();
}

function cutSegment(segment: string): string {
  const broad = broadSegment(segment);
  const end = broad.indexOf(';');
  return end < 0 ? broad : broad.slice(0, end);
}

function isThere(segment: string): boolean {
  return segment !== '';
}
