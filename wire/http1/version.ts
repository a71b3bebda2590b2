// HTTP-version (RFC 9112, 2.3): 1.1, or 1.0 for those who have stayed there.
import { type Broken, malformed } from './broken.ts';

const NAME = 'HTTP/1.';
const ZERO = 0x30;

/** The minor version at this place, or what is wrong with it. */
export function readVersion(text: string, at: number): 0 | 1 | Broken {
  if (!text.startsWith(NAME, at)) return otherVersion(text, at);
  const minor = text.charCodeAt(at + NAME.length) - ZERO;
  return minor === 1 || minor === 0 ? minor : otherVersion(text, at);
}

function otherVersion(text: string, at: number): Broken {
  const isVersion = /^HTTP\/\d\.\d$/.test(text.slice(at, at + 'HTTP/1.1'.length));
  return isVersion ? malformed('version-not-supported', 505) : malformed('version');
}
