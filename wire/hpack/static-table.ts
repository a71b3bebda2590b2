// The static table of HPACK (RFC 7541, Appendix A): what every connection knows from the start, by its index from 1.

export interface StaticEntry {
  readonly name: string;
  readonly value: string;
}

// In the order of the RFC; what follows a name's first blank is the value.
const LINES = `:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204
:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language
accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding
content-language|content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match
if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate
proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|strict-transport-security|transfer-encoding|user-agent
vary|via|www-authenticate`;

/** The first is index 1. */
export const STATIC_ENTRIES: readonly StaticEntry[] = LINES.split(/[|\n]/).map((line) => {
  const [name = '', ...words] = line.split(' ');
  return { name, value: words.join(' ') };
});

export const STATIC_COUNT = STATIC_ENTRIES.length;

/** A name of the static table: its first index, and the index of each value that is there with it. */
export interface StaticName {
  readonly index: number;
  readonly values: ReadonlyMap<string, number>;
}

export const STATIC_NAMES: ReadonlyMap<string, StaticName> = byName();

function byName(): ReadonlyMap<string, StaticName> {
  const names = new Map<string, { index: number; values: Map<string, number> }>();
  STATIC_ENTRIES.forEach(({ name, value }, i) => {
    const known = names.get(name) ?? { index: i + 1, values: new Map() };
    known.values.set(value, i + 1);
    names.set(name, known);
  });
  return names;
}
