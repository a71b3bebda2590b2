// What a byte may be, where: one table look-up per byte of a head (RFC 9110 5.5 and 5.6.2, RFC 9112 3).

export const CR = 0x0d;
export const LF = 0x0a;
export const SPACE = 0x20;
export const TAB = 0x09;
export const COLON = 0x3a;

/** The byte in lower case where it may stand in a token, else 0. */
export const TOKEN = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
  const code = character.charCodeAt(0);
  TOKEN[code] = code;
  TOKEN[character.toUpperCase().charCodeAt(0)] = code;
}

const IN_VALUE = 1;
const IN_TARGET = 2;
const IN_AUTHORITY = 4;
const IN_TOKEN = 8;

/** Which of the masks above a byte has. */
const KIND = new Uint8Array(256);
for (let code = SPACE; code <= 0xff; code++) KIND[code] = code === 0x7f ? 0 : IN_VALUE;
KIND[TAB] = IN_VALUE;
// No fragment is ever sent. Signs that no URI has, such as `|`, are: clients are careless, and nobody misreads them.
for (let code = SPACE + 1; code < 0x7f; code++) {
  if (code !== 0x23) KIND[code] = (KIND[code] ?? 0) | IN_TARGET;
}
// No `@`: what is before it would be a password to one reader and a host to another.
for (const character of "-._~!$&'()*+,;=%:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  const code = character.charCodeAt(0);
  KIND[code] = (KIND[code] ?? 0) | IN_AUTHORITY;
}

for (let code = 0; code <= 0xff; code++) if (isTokenByte(code)) KIND[code] = (KIND[code] ?? 0) | IN_TOKEN;

export function isValueByte(byte: number): boolean {
  return ((KIND[byte] ?? 0) & IN_VALUE) !== 0;
}

export function isTargetByte(byte: number): boolean {
  return ((KIND[byte] ?? 0) & IN_TARGET) !== 0;
}

export function isToken(text: string): boolean {
  return text.length > 0 && isAll(text, IN_TOKEN);
}

/** Any text that may follow a method; its form is another matter. */
export function isTargetText(text: string): boolean {
  return text.length > 0 && isAll(text, IN_TARGET);
}

/** A host and perhaps a port, or nothing. */
export function isAuthority(text: string): boolean {
  return isAll(text, IN_AUTHORITY);
}

export function isTokenByte(byte: number): boolean {
  return (TOKEN[byte] ?? 0) !== 0;
}

function isAll(text: string, kind: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (((KIND[text.charCodeAt(i)] ?? 0) & kind) === 0) return false;
  }
  return true;
}

/** 1*DIGIT as a number that can be counted with, or undefined. */
export function parseDecimal(text: string): number | undefined {
  if (text.length === 0 || text.length > 15) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}
