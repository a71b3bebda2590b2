// For tests: messages that are nearly right, and every way to be nearly right that has fooled a parser somewhere.
import fc from 'fast-check';

const weighted = (good: readonly string[], bad: readonly string[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) });

const eol = fc.oneof(
  { weight: 150, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\r\r\n', '\n\r\n', '\r\n ', ' \r\n', '') },
);
const version = weighted(
  ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'],
  ['HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.10', ''],
);
const requestLine = fc
  .tuple(
    weighted(['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE'], ['get', 'BREW', 'GE\tT', '', 'CONNECT']),
    weighted(
      ['/', '/a?b=c', '/%2f/..;x', '//a', 'http://a/b'],
      ['*', 'a:80', '/\xe9', '/#x', '', '/a b', '/\t', 'http://b/'],
    ),
    version,
  )
  .map((parts) => parts.join(' '));
const statusLine = fc
  .tuple(
    version,
    weighted(['200', '204', '304', '404', '100'], ['99', '600', '20', '2000', '101', '']),
    weighted(['OK', '', 'a b\t\xe9'], ['\0', '\n']),
  )
  .map((parts) => parts.join(' '));

const field = weighted(
  [
    ...['Host: a', 'host:a', 'X-A: b', 'x-a:\t b \t', 'X-Empty:', 'X-Latin: \xe9', 'Cookie: a=b; c', '__proto__: x'],
    ...['Content-Length: 3', 'Content-Length: 0', 'Transfer-Encoding: chunked', 'transfer-encoding: Chunked'],
    ...['Connection: keep-alive', 'Connection: close', 'Connection: x-a, upgrade', 'Upgrade: websocket'],
    ...['Expect: 100-continue', 'Keep-Alive: timeout=5', 'Trailer: x-t', 'TE: trailers'],
  ],
  [
    ...[
      'Host: b',
      'Host : a',
      ' Host: a',
      'Host',
      ': a',
      'X-A: a\0b',
      'X-A: a\rb',
      'X-A: a\nb: c',
      'X(: a',
      'X-A: \x7f',
    ],
    ...['Content-Length: 3, 3', 'Content-Length: +3', 'Content-Length: 0x3', 'Content-Length:', 'Content-Length: 3 ;'],
    ...['Content-Length: 99999999999999999999', 'Content-Length : 3', 'Content-Length: 4', 'Content_Length: 4'],
    ...['Transfer-Encoding: chunked, identity', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: identity'],
    ...[
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding:\x0bchunked',
      'Transfer-Encoding: chunked;q=1',
      'Transfer-Encoding:',
    ],
    ...['Transfer-Encoding: chunked\t', '\tTransfer-Encoding: chunked', 'Transfer-Encoding\t: chunked', 'Expect: x'],
  ],
);

const chunk = weighted(
  ['3\r\nabc\r\n', '03\r\nabc\r\n', 'A\r\n0123456789\r\n', '1;x=y;z\r\na\r\n', '1;x="a;\\"b"\r\na\r\n'],
  [
    ...[
      '3\nabc\r\n',
      '3\r\nabc\n',
      '3\r\nabcd\r\n',
      '3 \r\nabc\r\n',
      ' 3\r\nabc\r\n',
      '+3\r\nabc\r\n',
      '0x3\r\nabc\r\n',
    ],
    ...[
      '3;\r\nabc\r\n',
      '3; a\r\nabc\r\n',
      '3;a=\r\nabc\r\n',
      '3;a\nb\r\nabc\r\n',
      '3\r\r\nabc\r\n',
      'x\r\n',
      '\r\n',
      '-1\r\n',
    ],
    ...[
      'fffffffffffffffff\r\nabc\r\n',
      '3;a="b\r\nabc\r\n',
      '3;a=b c\r\nabc\r\n',
      '3;"a"\r\nabc\r\n',
      '3;a="b"c\r\nabc\r\n',
    ],
  ],
);
const lastChunk = weighted(
  ['0\r\n\r\n', '0\r\nX-T: u\r\n\r\n', '000;x\r\n\r\n', '0\r\nx-t:\r\nx-u: v \r\n\r\n'],
  [
    '0\n\r\n',
    '0\r\n\n',
    '0\r\n\r',
    '0\r\nX-T : u\r\n\r\n',
    '0\r\n X-T: u\r\n\r\n',
    '0\r\nX-T: a\nb\r\n\r\n',
    '0\r\nContent-Length: 3\r\n\r\n',
    '',
  ],
);
const chunked = fc
  .tuple(fc.array(chunk, { maxLength: 3 }), lastChunk)
  .map(([chunks, last]) => ({ field: 'Transfer-Encoding: chunked', bytes: chunks.join('') + last }));
const sized = fc
  .string({ unit: fc.constantFrom('a', '\r', '\n', '0', ':'), maxLength: 8 })
  .map((bytes) => ({ field: `Content-Length: ${bytes.length}`, bytes }));
const body = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ field: 'X-Plain: 1', bytes: '' }) },
  { weight: 3, arbitrary: sized },
  { weight: 5, arbitrary: chunked },
  { weight: 1, arbitrary: fc.constant({ field: 'X-Plain: 1', bytes: 'abc' }) },
);

const message = (startLine: fc.Arbitrary<string>, always: string) =>
  fc
    .tuple(
      startLine,
      fc.array(fc.tuple(field, eol), { maxLength: 4 }),
      body,
      fc.array(eol, { minLength: 4, maxLength: 4 }),
      fc.boolean(),
    )
    .map(([start, fields, { field: framing, bytes }, [a, b, c, d], isBare]) => {
      // Mostly with what a message has to have, so that the rest is worth a look.
      const own = isBare
        ? fields.map(([text, end]) => text + end).join('')
        : fields
            .filter(([text]) => !/^(host|content|transfer)/i.test(text))
            .map(([text, end]) => text + end)
            .join('');
      return `${start}${a}${always}${b}${own}${framing}${c}${d}${bytes}`;
    });

/** A byte that is put in, taken out or changed somewhere. */
const slip = fc.record({
  at: fc.nat(400),
  how: fc.constantFrom('insert', 'remove', 'replace', 'double'),
  byte: fc.constantFrom(...'\r\n\0 \t:;,=/"1aG\x7f\x80\xff\x0b'),
});

function slipped(text: string, slips: readonly { at: number; how: string; byte: string }[]): Buffer {
  let bytes = text;
  for (const { at, how, byte } of slips) {
    const place = at % (bytes.length + 1);
    const old = bytes.slice(place, place + 1);
    const put = { insert: byte + old, remove: '', replace: byte, double: old + old }[how] ?? old;
    bytes = bytes.slice(0, place) + put + bytes.slice(place + 1);
  }
  return Buffer.from(bytes, 'latin1');
}

const slips = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(slip, { minLength: 1, maxLength: 2 }) },
);

/** One to three requests in a row. */
export const requestBytes: fc.Arbitrary<Buffer> = fc
  .tuple(fc.array(message(requestLine, 'Host: a'), { minLength: 1, maxLength: 3 }), slips)
  .map(([messages, mistakes]) => slipped(messages.join(''), mistakes));

export const responseBytes: fc.Arbitrary<Buffer> = fc
  .tuple(message(statusLine, 'X-Always: a'), slips)
  .map(([text, mistakes]) => slipped(text, mistakes));
