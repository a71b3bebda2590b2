// The values of flags: read as they were meant, or refused in a sentence that quotes them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseNamespace } from '../api/ids.ts';
import { must } from '../kit/result.ts';
import { parseHostPort, parseOrigin, parsePort } from '../kit/values.ts';
import { parseListenPort, parsePeer } from './values.ts';

const namespace = must(parseNamespace('default'));

test('what is written as host and port is read as host and port', () => {
  const name = fc.stringMatching(/^[a-z]([-a-z0-9.]{0,20}[a-z0-9])?$/);
  const host = fc.oneof(name, fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      const text = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      expect(parseHostPort(text)).toEqual({ ok: true, value: { host, port } });
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

test('whatever is written, the reader answers with a value or a sentence that quotes it', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const parse of [parsePort, parseListenPort, parseHostPort, parseOrigin]) {
        const value = parse(text);
        expect(value.ok || value.error.startsWith(`"${text}"`)).toBe(true);
      }
    }),
  );
});

test.each([
  '',
  'host',
  'host:',
  ':1',
  'host:0',
  'host:65536',
  '::1:80',
  '[::1]',
  '[host]:80',
  'http://host:80',
  'a b:80',
])('"%s" is no address', (text) => expect(parseHostPort(text).ok).toBe(false));

test.each(['', 'web', 'web=', '=a:1', 'web=a:1,', 'web=a', 'Web=a:1', 'a.b.c=d:1', 'a=b:1=c:2'])(
  '"%s" is no peer',
  (text) => expect(parsePeer(text, namespace).ok).toBe(false),
);

test('ports to listen on include any free one, ports to reach do not', () => {
  expect(parseListenPort('0')).toEqual({ ok: true, value: 0 });
  expect(parsePort('0').ok).toBe(false);
  for (const text of ['-1', '1e3', '0x10', '65536', ' 80', '080000']) expect(parseListenPort(text).ok).toBe(false);
});
