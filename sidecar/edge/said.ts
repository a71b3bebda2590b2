// What a request says to this sidecar itself, among all that it says to the app.
//
// Nearly every request says nothing of the kind. One pass over its names finds that out, and whoever then looks for this field
// or that one looks at an empty list: eight looks at each name become one.
import { type Headers, NO_HEADERS } from '../../api/headers.ts';

/** All that the app API goes by. A field that is to mean something there has to be named here. */
const SAID = new Set([
  ...['expect', 'origin', 'sec-fetch-site', 'authorization'],
  ...['dapr-app-id', 'invoke-app-id', 'dapr-api-token', 'invoke-timeout', 'invoke-hops'],
]);

/** Those fields, in order, each as often as it came. Names are in lower case, as HTTP/1.1 of wire/ hands them out. */
export function saidToSidecar(fields: Headers): Headers {
  let said: string[] | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    // A set, since it compares by hash: names are the same few texts all day, which know theirs.
    if (!SAID.has(name)) continue;
    said ??= [];
    said.push(name, fields[i + 1] ?? '');
  }
  return said ?? NO_HEADERS;
}
