// HTTP-version (RFC 9112, 2.3): 1.1, or 1.0 for those who have stayed there.
import { type Broken, malformed } from './broken.ts';

const NAME = Buffer.from('HTTP/1.');
const ZERO = 0x30;

/** The minor version at this place, or what is wrong with it. */
export function readVersion(bytes: Buffer, at: number): 0 | 1 | Broken {
  for (let i = 0; i < NAME.length; i++) {
    if (bytes[at + i] !== NAME[i]) return otherVersion(bytes, at);
  }
  const minor = (bytes[at + NAME.length] ?? 0) - ZERO;
  return minor === 1 || minor === 0 ? minor : otherVersion(bytes, at);
}

function otherVersion(bytes: Buffer, at: number): Broken {
  const isVersion = /^HTTP\/\d\.\d$/.test(bytes.toString('latin1', at, at + 'HTTP/1.1'.length));
  return isVersion ? malformed('version-not-supported', 505) : malformed('version');
}
