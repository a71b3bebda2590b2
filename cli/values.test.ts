// The values of flags: read as they were meant, or refused in a sentence that quotes them. What flags share with annotations is
// tested in kit/values.test.ts.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseNamespace } from '../api/ids.ts';
import { must } from '../kit/result.ts';
import { parsePeer } from './values.ts';

const namespace = must(parseNamespace('default'));

test('a peer has the addresses that are written', () => {
  const name = fc.stringMatching(/^[a-z]([-a-z0-9.]{0,20}[a-z0-9])?$/);
  const host = fc.oneof(name, fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      const text = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      expect(parsePeer(`web=${text},${text}`, namespace)).toMatchObject({
        ok: true,
        value: {
          addresses: [
            { host, port },
            { host, port },
          ],
        },
      });
    }),
  );
});

test.each(['', 'web', 'web=', '=a:1', 'web=a:1,', 'web=a', 'Web=a:1', 'a.b.c=d:1', 'a=b:1=c:2'])(
  '"%s" is no peer',
  (text) => expect(parsePeer(text, namespace).ok).toBe(false),
);
