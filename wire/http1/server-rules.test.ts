// What is a request and what is none, rule by rule of RFC 9112 (and 9110 where it says so).
import { describe, expect, test } from 'vitest';
import { driveEcho, turn } from './testing/drive.ts';

const lines = (...text: string[]) => `${text.join('\r\n')}\r\n\r\n`;
const get = (...fields: string[]) => lines('GET / HTTP/1.1', 'Host: a', ...fields);
const post = (...fields: string[]) => lines('POST / HTTP/1.1', 'Host: a', ...fields);
const chunked = (body: string) => post('Transfer-Encoding: chunked') + body;

async function refusalOf(...pieces: readonly string[]) {
  const { link, requests, offences, connection } = driveEcho();
  link.give(...pieces);
  await turn();
  const said = /^HTTP\/1\.1 (\d+)/.exec(link.written)?.[1];
  const [failure] = offences;
  const { phase } = connection;
  return { said, rule: failure?.reason, kind: failure?.kind, phase, isEnded: link.isEnded, requests };
}

describe('refused in the head', () => {
  test.each([
    ['obs-fold (5.2)', get('a: b', ' c'), 'obs-fold'],
    ['a blank line of blanks', get(' '), 'obs-fold'],
    ['a blank before the first field (2.2)', lines('GET / HTTP/1.1', ' Host: a'), 'obs-fold'],
    ['a blank before the colon (5.1)', get('a : b'), 'field-name'],
    ['a tab before the colon', get('a\t: b'), 'field-name'],
    ['no colon', get('ab'), 'field-name'],
    ['no name', get(': b'), 'field-name'],
    ['a name that is no token', get('a(b: c'), 'field-name'],
    ['NUL in a name', get('a\0b: c'), 'field-name'],
    ['NUL in a value', get('a: b\0c'), 'control-byte'],
    ['DEL in a value', get('a: b\x7fc'), 'control-byte'],
    ['another control byte in a value', get('a: b\x01c'), 'control-byte'],
    ['a bare CR in a value', get('a: b\rc'), 'bare-cr'],
    ['a bare LF in a value', get('a: b\nc: d'), 'bare-lf'],
    ['bare LFs throughout', 'GET / HTTP/1.1\nHost: a\n\n', 'bare-lf'],
    ['a bare LF behind the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 'request-line'],
    ['a bare LF for the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 'bare-lf'],
    ['two blanks behind the method (3)', lines('GET  / HTTP/1.1', 'Host: a'), 'target'],
    ['a tab behind the method', lines('GET\t/ HTTP/1.1', 'Host: a'), 'method'],
    ['two blanks behind the target', lines('GET /  HTTP/1.1', 'Host: a'), 'version'],
    ['a blank behind the version', lines('GET / HTTP/1.1 ', 'Host: a'), 'request-line'],
    ['no version', lines('GET /', 'Host: a'), 'target'],
    ['no target', lines('GET HTTP/1.1', 'Host: a'), 'target'],
    ['a version in lower case (2.3)', lines('GET / http/1.1', 'Host: a'), 'version'],
    ['a longer version', lines('GET / HTTP/1.11', 'Host: a'), 'request-line'],
    ['a method that is no token', lines('GE(T / HTTP/1.1', 'Host: a'), 'method'],
    ['a blank before the method', lines(' GET / HTTP/1.1', 'Host: a'), 'method'],
    ['two empty lines before it (2.2)', `\r\n\r\n${get()}`, 'method'],
    ['a CR before it', `\r${get()}`, 'bare-cr'],
    ['an LF before it', `\n${get()}`, 'method'],
    ['a fragment in the target (3.2)', lines('GET /#a HTTP/1.1', 'Host: a'), 'target'],
    ['a byte beyond ASCII in the target', lines('GET /\xe9 HTTP/1.1', 'Host: a'), 'target'],
    ['a target without a slash (3.2.1)', lines('GET a HTTP/1.1', 'Host: a'), 'target-form'],
    ['an asterisk for GET (3.2.4)', lines('GET * HTTP/1.1', 'Host: a'), 'target-form'],
    ['an authority for GET (3.2.3)', lines('GET a:80 HTTP/1.1', 'Host: a'), 'target-form'],
    ['a path for CONNECT (3.2.3)', lines('CONNECT /a HTTP/1.1', 'Host: a'), 'target-form'],
    ['no port for CONNECT (3.2.3)', lines('CONNECT a HTTP/1.1', 'Host: a'), 'target-form'],
    ['a user in the target (3.2.2)', lines('GET http://u@a/ HTTP/1.1', 'Host: a'), 'target-form'],
    ['a target that Host contradicts (3.2.2)', lines('GET http://b/ HTTP/1.1', 'Host: a'), 'host-is-not-the-target'],
    ['a CONNECT that Host contradicts', lines('CONNECT b:80 HTTP/1.1', 'Host: a:80'), 'connect-host'],
    ['no Host (3.2)', lines('GET / HTTP/1.1'), 'host-missing'],
    ['two Hosts', get('Host: b'), 'host-twice'],
    ['two equal Hosts', get('host: a'), 'host-twice'],
    ['two Hosts in HTTP/1.0', lines('GET / HTTP/1.0', 'Host: a', 'Host: a'), 'host-twice'],
    ['a Host that is none', lines('GET / HTTP/1.1', 'Host: a/b'), 'host'],
    ['a Host with a user', lines('GET / HTTP/1.1', 'Host: u@a'), 'host'],
    ['a list of Hosts', lines('GET / HTTP/1.1', 'Host: a b'), 'host'],
    [
      'Content-Length and Transfer-Encoding (6.1)',
      post('Content-Length: 3', 'Transfer-Encoding: chunked'),
      'content-length-and-transfer-encoding',
    ],
    [
      'the two in the other order',
      post('Transfer-Encoding: chunked', 'Content-Length: 0'),
      'content-length-and-transfer-encoding',
    ],
    ['unequal lengths (6.3)', post('Content-Length: 3', 'Content-Length: 4'), 'content-length-twice'],
    ['equal lengths', post('Content-Length: 3', 'Content-Length: 3'), 'content-length-twice'],
    ['a list of lengths', post('Content-Length: 3, 3'), 'content-length'],
    ['a length with a sign', post('Content-Length: +3'), 'content-length'],
    ['a negative length', post('Content-Length: -3'), 'content-length'],
    ['a hexadecimal length', post('Content-Length: 0x3'), 'content-length'],
    ['an empty length', post('Content-Length:'), 'content-length'],
    ['a length with a blank', post('Content-Length: 1 2'), 'content-length'],
    ['a length that nobody can count', post('Content-Length: 9007199254740993'), 'content-length'],
    ['chunked that is not last (6.1)', post('Transfer-Encoding: chunked, identity'), 'transfer-encoding'],
    ['chunked twice', post('Transfer-Encoding: chunked, chunked'), 'transfer-coding'],
    [
      'chunked on two lines',
      post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
      'transfer-encoding-twice',
    ],
    ['identity', post('Transfer-Encoding: identity'), 'transfer-encoding'],
    ['chunked with a parameter', post('Transfer-Encoding: chunked;a=b'), 'transfer-encoding'],
    ['chunked with a byte too many', post('Transfer-Encoding: xchunked'), 'transfer-encoding'],
    ['chunked in quotes', post('Transfer-Encoding: "chunked"'), 'transfer-encoding'],
    ['chunked and a tab', post('Transfer-Encoding: chunked \t'), 'tab-in-framing'],
    ['a length and a tab', post('Content-Length: 3\t'), 'tab-in-framing'],
    ['an empty Transfer-Encoding', post('Transfer-Encoding:'), 'transfer-encoding'],
    [
      'Transfer-Encoding in HTTP/1.0 (6.1)',
      lines('POST / HTTP/1.0', 'Transfer-Encoding: chunked'),
      'transfer-encoding-in-http-1.0',
    ],
    ['a body for CONNECT', lines('CONNECT a:1 HTTP/1.1', 'Host: a:1', 'Content-Length: 1'), 'connect-with-body'],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'control-byte'],
  ])('%s', async (_, bytes, rule) => {
    const refused = await refusalOf(bytes);
    expect(refused).toMatchObject({ rule, kind: 'malformed', phase: 'lingering', isEnded: true, requests: [] });
    expect(refused.said).toBe(rule === 'transfer-coding' ? '501' : '400');
    // However it is cut, the same is refused, if not always for the reason that is found first.
    const byteByByte = await refusalOf(...bytes);
    expect(byteByByte).toMatchObject({ kind: 'malformed', said: refused.said, isEnded: true, requests: [] });
  });

  test.each([
    ['HTTP/2', lines('PRI * HTTP/2.0')],
    ['HTTP/1.2', lines('GET / HTTP/1.2', 'Host: a')],
    ['HTTP/0.9', lines('GET / HTTP/0.9', 'Host: a')],
  ])('%s, which is another version', async (_, bytes) => {
    expect(await refusalOf(bytes)).toMatchObject({ said: '505', rule: 'version-not-supported', requests: [] });
  });

  test('a head that is too large, however it comes, and one of exactly the bound passes', async () => {
    const head = (bytes: number) => get(`a: ${'x'.repeat(bytes - get('a: ').length)}`);
    for (const pieces of [
      [head(65_537)],
      [head(65_537).slice(0, 30_000), head(65_537).slice(30_000)],
      ['x'.repeat(65_537)],
    ]) {
      expect(await refusalOf(...pieces)).toMatchObject({
        said: '431',
        rule: 'head-bytes',
        kind: 'limit',
        requests: [],
      });
    }
    const { requests, link } = driveEcho();
    link.give(head(65_536), head(65_536).slice(0, 10), head(65_536).slice(10));
    expect(requests).toHaveLength(2);
  });

  test('what begins with a line of another protocol, as soon as that line is there', async () => {
    for (const line of ['PING', 'garbage', 'EHLO a', 'SSH-2.0-a', 'GET /']) {
      const refused = { said: '400', kind: 'malformed', isEnded: true, requests: [] };
      expect(await refusalOf(`${line}\r\n`)).toMatchObject(refused);
      expect(await refusalOf(...`${line}\r\n`)).toMatchObject(refused);
      expect(await refusalOf(`${line}\r\n`.repeat(20_000))).toMatchObject(refused);
    }
    const { requests, link } = driveEcho();
    link.give('GET / HTTP/1.1\r', '\nHost: a\r\n', '\r\n');
    expect(requests).toHaveLength(1);
  });

  test('more fields than the bound', async () => {
    const fields = (count: number) => Array.from({ length: count }, (_, i) => `f${i}: x`);
    expect(await refusalOf(get(...fields(128)))).toMatchObject({ said: '431', rule: 'head-fields', kind: 'limit' });
    expect((await refusalOf(get(...fields(127)))).requests).toHaveLength(1);
  });
});

describe('refused in the body', () => {
  test.each([
    ['a size that is no number (7.1)', 'x\r\n', 'chunk-size'],
    ['no size', '\r\n', 'chunk-size'],
    ['a size with a sign', '+1\r\na\r\n', 'chunk-size'],
    ['a size with 0x', '0x1\r\na\r\n', 'chunk-size'],
    ['a blank before the size', ' 1\r\na\r\n', 'chunk-size'],
    ['a blank behind the size', '1 \r\na\r\n', 'chunk-size'],
    ['a size that overflows', '10000000000000001\r\na\r\n', 'chunk-size'],
    ['a size that nobody can count', '20000000000000\r\n', 'chunk-size'],
    ['a bare LF behind the size', '1\na\r\n', 'bare-lf'],
    ['a bare CR behind the size', '1\ra\r\n', 'bare-cr'],
    ['a chunk longer than its size', '1\r\nab\r\n', 'chunk-end'],
    ['a chunk that ends in a bare LF', '1\r\na\n0\r\n\r\n', 'chunk-end'],
    ['a chunk that ends in a bare CR', '1\r\na\r0\r\n\r\n', 'chunk-end'],
    ['an extension without a name', '1;\r\na\r\n', 'chunk-extension'],
    ['an extension without a value', '1;a=\r\na\r\n', 'chunk-extension'],
    ['an extension with a blank', '1; a=b\r\na\r\n', 'chunk-extension'],
    ['an extension with an LF', '1;a\nb\r\na\r\n', 'bare-lf'],
    ['an extension with an LF in quotes', '1;a="\n"\r\na\r\n', 'chunk-extension'],
    ['an extension with NUL', '1;a=\0\r\na\r\n', 'chunk-extension'],
    ['a bare LF behind the last chunk', '0\n\r\n', 'bare-lf'],
    ['a bare LF at the end', '0\r\n\n', 'bare-lf'],
    ['a bare CR at the end', '0\r\n\rG', 'chunk-end'],
    ['a folded trailer', '0\r\na: b\r\n c\r\n\r\n', 'obs-fold'],
    ['a trailer with a blank before its colon', '0\r\na : b\r\n\r\n', 'field-name'],
    ['Content-Length as a trailer (9110, 6.5.1)', '0\r\nContent-Length: 5\r\n\r\n', 'forbidden-trailer'],
    ['Transfer-Encoding as a trailer', '0\r\nTransfer-Encoding: chunked\r\n\r\n', 'forbidden-trailer'],
    ['Host as a trailer', '0\r\nhost: b\r\n\r\n', 'forbidden-trailer'],
    ['Authorization as a trailer', '0\r\nAuthorization: x\r\n\r\n', 'forbidden-trailer'],
    ['Connection as a trailer', '0\r\nConnection: close\r\n\r\n', 'forbidden-trailer'],
  ])('%s', async (_, body, rule) => {
    for (const pieces of [[chunked(body)], [...chunked(body)]]) {
      const { said, rule: found, requests, phase } = await refusalOf(...pieces);
      expect({ said, found, phase }).toEqual({ said: '400', found: rule, phase: 'lingering' });
      expect(requests.map(({ outcomes }) => outcomes)).toEqual([['abort malformed']]);
    }
  });

  test('more extensions than anybody needs, in one chunk or in many', async () => {
    const one = `1;a=${'x'.repeat(4096)}\r\na\r\n0\r\n\r\n`;
    const many = '1;aaaaaaaaaaaaaaaaaaaaaaaaaa\r\na\r\n'.repeat(200);
    for (const body of [one, many]) {
      const { said, rule, requests } = await refusalOf(chunked(body));
      expect({ said, rule }).toEqual({ said: '413', rule: 'chunk-extension-bytes' });
      expect(requests[0]?.outcomes).toEqual(['abort limit']);
    }
  });

  test('trailers that are too large or too many', async () => {
    const large = `0\r\na: ${'x'.repeat(65_536)}\r\n\r\n`;
    expect(await refusalOf(chunked(large))).toMatchObject({ said: '431', rule: 'trailer-bytes' });
    const many = `0\r\n${'a: b\r\n'.repeat(129)}\r\n`;
    expect(await refusalOf(chunked(many))).toMatchObject({ said: '431', rule: 'trailer-fields' });
  });
});

describe('taken as it is meant', () => {
  const only = (bytes: string) => {
    const { requests, offences } = (({ link, requests, offences }) => {
      link.give(bytes);
      return { requests, offences };
    })(driveEcho());
    expect(offences).toEqual([]);
    expect(requests.map(({ outcomes }) => outcomes)).toEqual([['end']]);
    return requests[0];
  };

  test('names in lower case, values as they came without the blanks around them', () => {
    const fields = only(get('X-Some-Thing: \t a  b\t ', 'x-some-thing:c', 'X-Empty:', 'X-Latin: \xe9\t\xff'))?.head
      .fields;
    expect(fields).toEqual([
      ...['host', 'a', 'x-some-thing', 'a  b', 'x-some-thing', 'c', 'x-empty', '', 'x-latin', '\xe9\t\xff'],
    ]);
  });

  test('names that objects have are names as any other', () => {
    expect(only(get('__proto__: a', 'constructor: b', 'hasOwnProperty: c'))?.head.fields.slice(2)).toEqual([
      ...['__proto__', 'a', 'constructor', 'b', 'hasownproperty', 'c'],
    ]);
  });

  test('any token is a method', () => {
    expect(only(lines("x!#$%&'*+-.^_`|~9 / HTTP/1.1", 'Host: a'))?.head.method).toBe("x!#$%&'*+-.^_`|~9");
  });

  test('one empty line before it (2.2)', () => {
    expect(only(`\r\n${get()}`)?.head.target).toBe('/');
  });

  test.each([
    ['a path', 'GET', '/a/%2f?b=c?d', 'a', 'a'],
    ['a path with signs that no URI has', 'GET', '/a|{"b"}\\', 'a', 'a'],
    ['an absolute URI', 'GET', 'http://A.b:8080/c?d', 'a.B:8080', 'A.b:8080'],
    ['an absolute URI without a path', 'GET', 'http://a?b', 'a', 'a'],
    ['an asterisk', 'OPTIONS', '*', 'a', 'a'],
    ['an IPv6 host', 'GET', '/', '[::1]:80', '[::1]:80'],
    ['no host at all', 'GET', '/', '', ''],
  ])('%s', (_, method, target, host, authority) => {
    expect(only(lines(`${method} ${target} HTTP/1.1`, `Host: ${host}`))?.head).toMatchObject({ target, authority });
  });

  test('HTTP/1.0 without Host', () => {
    expect(only(lines('GET / HTTP/1.0'))?.head).toMatchObject({ authority: undefined, bodyBytes: 0 });
  });

  test('a body with a length', () => {
    const request = only(`${post('Content-Length: 0005')}hello`);
    expect(request?.head.bodyBytes).toBe(5);
    expect(request?.body).toBe('hello');
  });

  test('a body in chunks, with extensions and trailers, in one push', () => {
    const body = '1\r\na\r\n00002;x;y=z;q="\\";\xe9"\r\nbc\r\nA\r\n0123456789\r\n0;end\r\nX-Sum: 1\r\nx-more:\r\n\r\n';
    const request = only(post('transfer-ENCODING: \tCHUNKED ') + body);
    expect(request).toMatchObject({ body: 'abc0123456789', pushes: 1, trailers: ['x-sum', '1', 'x-more', ''] });
    expect(request?.head).toMatchObject({ bodyBytes: undefined, fields: ['host', 'a'] });
  });

  test('what belongs to the connection stays here, and what Connection names (9110, 7.6.1)', () => {
    const head = only(
      get('Connection: keep-alive, X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'Proxy-Connection: close', 'X-End: 2'),
    )?.head;
    expect(head?.fields).toEqual(['host', 'a', 'x-end', '2']);
  });

  test('HTTP2-Settings stay here too, and are told of (7540, 3.2.1)', () => {
    const asked = get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk');
    const told = (bytes: string) => {
      const { link, requests } = driveEcho();
      link.give(bytes);
      return requests[0]?.head;
    };
    expect(told(asked)).toMatchObject({ upgrade: 'h2c', http2Settings: 'AAMAAABk', fields: ['host', 'a'] });
    expect(told(get('HTTP2-Settings: AA', 'HTTP2-Settings: BB'))).toMatchObject({ http2Settings: 'AA, BB' });
    expect(told(get())?.http2Settings).toBeUndefined();
  });

  test('Upgrade only where Connection says so, for HTTP/1.1, and without a body (9110, 7.8)', () => {
    const upgradeOf = (bytes: string) => {
      const { link, requests } = driveEcho();
      link.give(bytes);
      return requests[0]?.head.upgrade;
    };
    expect(upgradeOf(get('Connection: keep-alive, Upgrade', 'Upgrade: websocket'))).toBe('websocket');
    expect(upgradeOf(get('Connection: upgrade', 'Upgrade: h2c, x'))).toBe('h2c, x');
    expect(upgradeOf(get('Upgrade: websocket'))).toBeUndefined();
    expect(upgradeOf(lines('GET / HTTP/1.0', 'Connection: upgrade', 'Upgrade: websocket'))).toBeUndefined();
    const withBody = post('Connection: upgrade', 'Upgrade: websocket', 'Content-Length: 2');
    expect(upgradeOf(`${withBody}ab`)).toBeUndefined();
  });

  test('an expectation only where there is a body to wait with (9110, 10.1.1)', () => {
    const expects = (bytes: string) => {
      const { link, requests } = driveEcho();
      link.give(bytes);
      return requests[0]?.head;
    };
    expect(expects(post('Expect: 100-Continue', 'Content-Length: 2'))).toMatchObject({ expectsContinue: true });
    expect(expects(post('Expect: 100-continue'))).toMatchObject({ expectsContinue: false });
    const old = lines('POST / HTTP/1.0', 'Expect: 100-continue', 'Content-Length: 2');
    expect(expects(old)).toMatchObject({ expectsContinue: false, fields: ['content-length', '2'] });
    expect(expects(get('Expect: tea'))).toMatchObject({
      expectsContinue: false,
      fields: ['host', 'a', 'expect', 'tea'],
    });
  });
});
