// Against Node's own HPACK (nghttp2), both ways, over a real connection: what its encoder makes of random lists, our decoder
// reads, and the other way around.
import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../kit/testing/runs.ts';
import type { Fields } from '../message.ts';
import { bareServer } from './testing/bare-server.ts';

const name = fc.oneof(
  fc.constantFrom('accept', 'cookie', 'date', 'x-user', 'x-other', 'user-agent', 'vary', 'etag', 'authorization'),
  fc.string({ unit: fc.constantFrom(...'abyz09-_'), minLength: 1, maxLength: 30 }).map((text) => `x${text}`),
);
const value = fc
  .oneof(
    fc.constantFrom('', 'gzip, deflate', 'application/grpc', 'v'.repeat(300)),
    fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)) }),
  )
  .map((text) => text.replaceAll('\x7f', ''));
/** Each name once: Node joins or drops what comes twice. */
const list: fc.Arbitrary<Fields> = fc
  .uniqueArray(fc.tuple(name, value), { maxLength: 8, selector: ([each]) => each })
  .map((pairs) => pairs.flat());
const exchange = fc.record({ request: list, response: list, secret: fc.constantFrom('x-user', 'accept', 'none') });
/** Some lists come again, so that the tables are made use of. */
const exchanges = fc
  .array(exchange, { minLength: 1, maxLength: 4 })
  .chain((some) => fc.array(fc.constantFrom(...some), { minLength: 1, maxLength: 10 }));
const tableBytes = fc.constantFrom(0, 100, 4096, 65536);
const insertAt = fc.constantFrom('first-sight' as const, 'second-sight' as const);

test('random lists arrive as they were sent, whatever the tables may hold', async () => {
  await fc.assert(
    fc.asyncProperty(exchanges, tableBytes, tableBytes, insertAt, async (all, ours, theirs, when) => {
      let responses = 0;
      const respond = () => all[responses++]?.response ?? [];
      const server = await bareServer({ tableBytesMax: ours, insertAt: when, respond });
      const session = connect(`http://127.0.0.1:${server.port}`, { settings: { headerTableSize: theirs } });
      try {
        await once(session, 'remoteSettings');
        for (const [i, { request, response, secret }] of all.entries()) {
          expect(await exchangeOver(session, request, secret)).toEqual(response);
          expect(server.requests[i]?.fields).toEqual(request);
          expect(server.requests[i]?.pseudo).toMatchObject({ method: 'GET', path: '/', scheme: 'http' });
          expect(server.requests[i]?.neverIndexed.has(secret)).toBe(request.indexOf(secret) % 2 === 0);
        }
      } finally {
        session.destroy();
        await server.close();
      }
    }),
    runs(40),
  );
});

/** The fields of the response. */
async function exchangeOver(session: ClientHttp2Session, request: Fields, secret: string): Promise<Fields> {
  const headers: OutgoingHttpHeaders = { [sensitiveHeaders]: [secret] };
  for (let i = 0; i < request.length; i += 2) headers[request[i] ?? ''] = request[i + 1];
  const stream = session.request(headers);
  const [, , raw]: [unknown, unknown, string[]] = await new Promise((resolve, reject) => {
    stream.once('response', (...said: [unknown, unknown, string[]]) => resolve(said));
    stream.once('error', reject);
  });
  stream.resume();
  await once(stream, 'close');
  return raw.slice(2);
}
