// The one spelling of a path. It is made once, at the edge; policy judges it and the app receives it, byte for byte.
//
//   - unreserved characters (RFC 3986, 2.3) are plain, everything else that was encoded stays encoded, in upper case;
//   - what may not stand in a path as it is (quotes, brackets, bytes above 0x7f …) is encoded;
//   - empty and dot segments are resolved, and `..` never climbs above the root; a trailing slash stays;
//   - making the spelling of a spelling changes nothing.
//
// What two readers could understand differently has no spelling and is refused: a broken triplet, a control byte,
// invalid UTF-8, and a segment that some server would take for a dot segment after decoding it once more than we do.
import { err, ok, type Result } from '../kit/result.ts';

declare const brand: unique symbol;
export type CanonicalPath = string & { readonly [brand]: 'CanonicalPath' };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** `raw` is the path of a request target: one character per byte, without query, with or without the leading slash. */
export function canonicalPath(raw: string): Result<CanonicalPath> {
  // Nearly every path comes as it is to be spelled: one look at the whole of it, and no copy.
  if (raw !== '' && PLAIN_PATH.test(raw)) return ok(raw as CanonicalPath);
  const kept: string[] = [];
  const segments = raw.split('/');
  let endsOpen = false;
  for (const segment of segments) {
    const spelled = spellSegment(segment);
    if (!spelled.ok) return spelled;
    endsOpen = spelled.value === '' || isDotSegment(spelled.value);
    if (spelled.value === '..') kept.pop();
    else if (!endsOpen) kept.push(spelled.value);
  }
  const trailing = endsOpen && kept.length > 0 ? '/' : '';
  return ok(`/${kept.join('/')}${trailing}` as CanonicalPath);
}

/**
 * A path that a Dapr sidecar decoded before it sent it: a percent sign there is a percent sign.
 * The result is still to be made canonical.
 */
export function encodeDecodedPath(decoded: string): string {
  return decoded.replaceAll('%', '%25');
}

function spellSegment(segment: string): Result<string> {
  if (PLAIN.test(segment)) return ok(segment);
  const bytes = decodeOnce(segment);
  if (!bytes.ok) return bytes;
  try {
    utf8.decode(Buffer.from(bytes.value, 'latin1'));
  } catch {
    return err('the path holds bytes that are not UTF-8');
  }
  if (isDotSegment(bytes.value)) return ok(bytes.value);
  if (hidesDotSegment(decodeLeniently(bytes.value))) {
    return err(
      'the path hides a dot segment behind a semicolon or an encoded slash, backslash, percent sign, question mark or hash',
    );
  }
  return ok(spell(segment));
}

/**
 * Its own spelling: segments of the plain alphabet, none of them empty and none that begins with a dot, so that dot segments
 * are not among them. No two parts of it can take the same byte, so that it reads a path once, however long that is.
 */
const PLAIN_PATH = /^(?:\/[-_~0-9A-Za-z!$&'()*+,=:@][-._~0-9A-Za-z!$&'()*+,=:@]*)*\/?$/;
/** Nothing to decode, to encode or to refuse: the whole alphabet of a segment but `%` and `;`. */
const PLAIN = /^[-._~0-9A-Za-z!$&'()*+,=:@]*$/;
const UNRESERVED = /[-._~0-9A-Za-z]/;
const SEGMENT_CHARACTER = /[-._~0-9A-Za-z!$&'()*+,;=:@]/;

/** The segment's bytes, one character each; refuses broken triplets and control bytes. */
function decodeOnce(segment: string): Result<string> {
  let bytes = '';
  for (let i = 0; i < segment.length; i++) {
    let byte = segment.charCodeAt(i);
    if (byte === 0x25) {
      const hex = segment.slice(i + 1, i + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return err('the path has a percent sign that no two hex digits follow');
      byte = Number.parseInt(hex, 16);
      i += 2;
    }
    if (byte < 0x20 || byte === 0x7f) return err('the path holds a control byte');
    if (byte > 0xff) return err('the path holds a character that is not a byte');
    bytes += String.fromCharCode(byte);
  }
  return ok(bytes);
}

function decodeLeniently(bytes: string): string {
  return bytes.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function isDotSegment(segment: string): boolean {
  return segment === '.' || segment === '..';
}

/**
 * Would a server that decodes a segment as far as `decoded` find a dot segment in it, whole or cut into pieces?
 * One that shows after the first decoding is still there after the second, so that is the one to look at.
 */
function hidesDotSegment(decoded: string): boolean {
  return decoded.split(/[/\\;?#]/).some(isDotSegment);
}

function spell(segment: string): string {
  let spelled = '';
  for (let i = 0; i < segment.length; i++) {
    const character = segment.charAt(i);
    if (character === '%') {
      const hex = segment.slice(i + 1, i + 3).toUpperCase();
      const decoded = String.fromCharCode(Number.parseInt(hex, 16));
      spelled += UNRESERVED.test(decoded) ? decoded : `%${hex}`;
      i += 2;
    } else if (SEGMENT_CHARACTER.test(character)) {
      spelled += character;
    } else {
      spelled += `%${segment.charCodeAt(i).toString(16).toUpperCase().padStart(2, '0')}`;
    }
  }
  return spelled;
}
