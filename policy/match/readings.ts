// The ways in which a server may read one canonical path.
//
// Rules that allow look at two things: %2F and %5C as part of a segment, or as slashes. Rules that deny look at whatever a careless
// server may make of a path: it decodes once or twice, takes what it finds for slashes or not, does away with what follows a
// semicolon, with what follows a question mark or a number sign that was encoded, with dots and spaces at the end of a name, with
// letter case and with a trailing slash.
import type { CanonicalPath } from '../../api/path.ts';
import type { Template } from './template.ts';

/** Puts slashes in the place of some triplets. */
type Split = (path: string) => string;

const splitAtSlashes: Split = (path) => path.replaceAll('%2F', '/');
const splitAtBackslashes: Split = (path) => path.replaceAll('%5C', '/');

const NO_SLASHES: readonly Split[] = [];
const SLASHES = [splitAtSlashes];
const BACKSLASHES = [splitAtBackslashes];
const ALL_SLASHES = [...SLASHES, ...BACKSLASHES, (path: string) => splitAtBackslashes(splitAtSlashes(path))];

/** The path itself first, and then what a server makes of it that takes some of these triplets for slashes. */
export function slashReadings(path: CanonicalPath): readonly string[] {
  const readings: string[] = [path];
  for (const split of slashesIn(path)) add(readings, merged(split(path)));
  return readings;
}

function merged(path: string): string {
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : path;
}

/** What servers may take for slashes in the path, once they have decoded it or decoded it twice. */
function slashesIn(path: string): readonly Split[] {
  if (!path.includes('%')) return NO_SLASHES;
  const hasSlash = isIn(path, '2F', '2f');
  if (!isIn(path, '5C', '5c')) return hasSlash ? SLASHES : NO_SLASHES;
  return hasSlash ? ALL_SLASHES : BACKSLASHES;
}

/** As a triplet, or as one that is encoded itself. */
function isIn(path: string, upper: string, lower: string): boolean {
  if (path.includes(`%${upper}`)) return true;
  return path.includes('%25') && (path.includes(`%25${upper}`) || path.includes(`%25${lower}`));
}

/** What may be there in more than one way, besides letter case and a trailing slash. */
const AMBIGUOUS = /;|%(?:2[35F]|3[BF]|5C)/;

/** Everything, for rules that deny. Nearly every path has one reading. */
export function broadReadings(path: CanonicalPath): readonly string[] {
  return AMBIGUOUS.test(path) ? readingsBy(slashesIn, path) : [path];
}

/** As many, for a server that takes nothing but slashes for slashes. */
export function literalReadings(path: CanonicalPath): readonly string[] {
  return AMBIGUOUS.test(path) ? readingsBy(() => NO_SLASHES, path) : [path];
}

function readingsBy(slashesOf: (path: string) => readonly Split[], path: CanonicalPath): readonly string[] {
  const readings: string[] = [path];
  // Some servers cut a path before they decode it.
  if (path.includes(';')) add(readings, path.replace(/;[^/]*/g, ''));
  for (const reading of [...readings]) {
    for (const split of slashesOf(reading)) addDecoded(readings, split(reading), split);
    addDecoded(readings, reading, undefined);
  }
  const mayShow = path.includes('%25');
  if (mayShow || hasQuery(path))
    for (const reading of [...readings]) if (hasQuery(reading)) add(readings, untilQuery(reading));
  if (mayShow || hasParameters(path))
    for (const reading of [...readings]) if (hasParameters(reading)) add(readings, withoutParameters(reading));
  return readings;
}

/** What was split after the first decoding may be split again after the second, or not. */
function addDecoded(readings: string[], once: string, split: Split | undefined): void {
  add(readings, once);
  if (!once.includes('%25')) return;
  const twice = decodedAgain(once);
  add(readings, twice);
  if (split !== undefined) add(readings, split(twice));
}

function add(readings: string[], reading: string): void {
  if (!readings.includes(reading)) readings.push(reading);
}

/** Where a server that decodes first and looks for a query then believes the path to end. */
function hasQuery(path: string): boolean {
  return path.includes('%3F') || path.includes('%23');
}

function untilQuery(path: string): string {
  return path.slice(0, path.search(/%3F|%23/));
}

function hasParameters(path: string): boolean {
  return path.includes(';') || path.includes('%3B');
}

function withoutParameters(path: string): string {
  return path.replace(/(?:;|%3B)[^/]*/g, '');
}

/** Written so that decoding it once comes to what decoding the given path twice comes to. */
function decodedAgain(path: string): string {
  let again = '';
  let from = 0;
  for (let at = path.indexOf('%25'); at >= 0; at = path.indexOf('%25', from)) {
    const isTriplet = byteAt(path, at + 3) >= 0;
    again += path.slice(from, at);
    again += isTriplet ? `%${path.slice(at + 3, at + 5).toUpperCase()}` : '%25';
    from = at + (isTriplet ? 5 : 3);
  }
  return again + path.slice(from);
}

/** As they are. Not all of them, where fewer are needed. */
export function exactSegments(path: string, needed: number): readonly string[] {
  return path.slice(1).split('/', needed);
}

/** As a server takes them that is careless of letter case and slashes. */
export function broadSegments(path: string, needed: number): readonly string[] {
  const segments: string[] = [];
  for (let start = 0; start <= path.length && segments.length < needed; ) {
    const slash = path.indexOf('/', start);
    const end = slash < 0 ? path.length : slash;
    if (end > start) segments.push(broadSegment(path.slice(start, end)));
    start = end + 1;
  }
  return segments;
}

/** Templates that match broadly whatever this one matches exactly, and more. */
export function broadTemplates({ steps, isOpen }: Template): readonly Template[] {
  const broad = (fold: (segment: string) => string): Template => ({
    steps: steps.map((step) => (step === undefined ? undefined : fold(step))).filter((step) => step !== ''),
    isOpen,
  });
  const isCut = steps.some((step) => step !== undefined && hasParameters(step));
  return isCut ? [broad(broadSegment), broad((step) => broadSegment(withoutParameters(step)))] : [broad(broadSegment)];
}

/** Without letter case, and with nothing encoded: `%21` and `!` are one character to whoever decodes. */
function broadSegment(segment: string): string {
  if (!segment.includes('%')) return withoutTail(segment.toLowerCase());
  const plain = asciiDecoded(segment);
  if (plain !== undefined) return withoutTail(plain.toLowerCase());
  // By way of upper case, as some letters have two lower ones.
  return withoutTail(decoded(segment).toUpperCase().toLowerCase());
}

/** Some servers drop dots and spaces at the end of a name: Windows does. One that has nothing else keeps them. */
function withoutTail(segment: string): string {
  let end = segment.length;
  while (end > 0 && (segment.charAt(end - 1) === '.' || segment.charAt(end - 1) === ' ')) end--;
  return end === 0 || end === segment.length ? segment : segment.slice(0, end);
}

/** A canonical path holds valid UTF-8 alone, but what is decoded twice may be anything. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment.replace(/(?:%[0-9A-F]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString());
  }
}

/** For nearly every segment, in a fraction of the time; undefined where there is more to it than ASCII. */
function asciiDecoded(segment: string): string | undefined {
  let text = '';
  let from = 0;
  for (let at = 0; at < segment.length; at++) {
    const code = segment.charCodeAt(at);
    if (code >= 0x80) return undefined;
    if (code !== PERCENT) continue;
    const byte = byteAt(segment, at + 1);
    if (byte < 0 || byte >= 0x80) return undefined;
    text += segment.slice(from, at) + String.fromCharCode(byte);
    at += 2;
    from = at + 1;
  }
  return text + segment.slice(from);
}

const PERCENT = 0x25;

/** By two hexadecimal digits; negative where they are none. */
function byteAt(text: string, at: number): number {
  const [high, low] = [HEX[text.charCodeAt(at)] ?? -1, HEX[text.charCodeAt(at + 1)] ?? -1];
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** By the code of a digit. */
const HEX = Int8Array.from({ length: 0x80 }, (_, code) => {
  const digit = String.fromCharCode(code);
  return /[0-9A-Fa-f]/.test(digit) ? Number.parseInt(digit, 16) : -1;
});
