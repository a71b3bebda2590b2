// Values that people write: read as they were meant, or refused in a sentence that quotes them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseHostPort, parseListenPort, parseObjectName, parseOrigin, parsePort } from './values.ts';

test('what is written as host and port is read as host and port', () => {
  const name = fc.stringMatching(/^[a-z]([-a-z0-9.]{0,20}[a-z0-9])?$/);
  const host = fc.oneof(name, fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      const text = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      expect(parseHostPort(text)).toEqual({ ok: true, value: { host, port } });
    }),
  );
});

test('whatever is written, the reader answers with a value or a sentence that quotes it', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const parse of [parsePort, parseListenPort, parseHostPort, parseOrigin, parseObjectName]) {
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

test('ports to listen on include any free one, ports to reach do not', () => {
  expect(parseListenPort('0')).toEqual({ ok: true, value: 0 });
  expect(parsePort('0').ok).toBe(false);
  for (const text of ['-1', '1e3', '0x10', '65536', ' 80', '080000']) expect(parseListenPort(text).ok).toBe(false);
});

test.each(['', '-a', 'a-', 'A', 'a..b', 'a.-b', 'a_b', 'a/b', 'a'.repeat(254)])('"%s" names no object', (text) =>
  expect(parseObjectName(text).ok).toBe(false),
);
