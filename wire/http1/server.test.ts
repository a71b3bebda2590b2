// A server's connection: in which order things are answered, when it lives on, and who hears what when it does not.
import { describe, expect, test } from 'vitest';
import { driveEcho, driveServer, type ReceivedRequest, turn } from './testing/drive.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const get = (path: string, ...fields: string[]) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields.map((f) => `${f}\r\n`).join('')}\r\n`;
const post = (length: number) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const gone = { kind: 'reset', reason: 'test' } as const;

describe('the answer', () => {
  async function answerTo(request: string, answer: (request: ReceivedRequest) => void): Promise<string> {
    const { link } = driveServer({ onEnd: answer });
    link.give(request);
    await turn();
    return link.written;
  }

  test('head and body leave in one write, also of pipelined requests', async () => {
    const { link, requests } = driveEcho();
    link.give(`${post(2)}ok${post(2)}ok`);
    expect(link.writes).toBe(0);
    await turn();
    expect(link.writes).toBe(1);
    expect(link.written).toBe(OK + OK);
    expect(requests).toHaveLength(2);
  });

  test('a large body is not copied beside its head', async () => {
    const { link } = driveServer({ onEnd: (request) => request.answer('x'.repeat(20_000)) });
    link.give(GET);
    await turn();
    expect(link.writes).toBe(2);
    expect(link.written).toHaveLength('HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n'.length + 20_000);
  });

  test('without a length it comes in chunks, with trailers', async () => {
    const said = await answerTo(GET, ({ responder }) => {
      responder.head({ status: 200, fields: ['x-a', 'b'], bodyBytes: undefined });
      responder.data(Buffer.from('hello, this is it'));
      responder.data(Buffer.alloc(0));
      responder.end(['x-sum', '1', 'content-length', '5']);
    });
    expect(said).toBe(
      'HTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n11\r\nhello, this is it\r\n0\r\nx-sum: 1\r\n\r\n',
    );
  });

  test('HTTP/1.0 gets it without chunks, up to the end of the connection', async () => {
    const { link, connection } = driveServer({
      onEnd: ({ responder }) => {
        responder.informational(103, []);
        responder.head({ status: 200, fields: [], bodyBytes: undefined });
        responder.data(Buffer.from('hello'));
        responder.end(['x-sum', '1']);
      },
    });
    link.give('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    await turn();
    expect(link.written).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello');
    expect(link.isEnded).toBe(true);
    expect(connection.phase).toBe('lingering');
  });

  test('HTTP/1.0 keeps a connection only where it asks for that', async () => {
    const old = 'GET / HTTP/1.0\r\n';
    expect(await answerTo(`${old}\r\n`, (request) => request.answer())).toContain('connection: close\r\n');
    const kept = driveEcho();
    kept.link.give(`${old}Connection: Keep-Alive\r\n\r\n`);
    await turn();
    expect(kept.link.written).toContain('connection: keep-alive\r\n');
    expect(kept.connection.phase).toBe('idle');
  });

  test.each([
    ['HEAD', 200, 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'],
    ['GET', 204, 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 304, 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n'],
  ])('%s %i has no body, whatever is pushed', async (method, status, head) => {
    const { link, connection } = driveServer({ onEnd: (request) => request.answer('hello', status) });
    link.give(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    await turn();
    expect(link.written).toBe(head);
    expect(connection.phase).toBe('idle');
  });

  test('HEAD without a length says nothing of chunks', async () => {
    const said = await answerTo('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', ({ responder }) => {
      responder.head({ status: 200, fields: [], bodyBytes: undefined });
      responder.end([]);
    });
    expect(said).toBe('HTTP/1.1 200 OK\r\n\r\n');
  });

  test('informational answers come before it', async () => {
    const said = await answerTo(GET, (request) => {
      request.responder.informational(103, ['link', '</a>']);
      request.answer();
      request.responder.informational(103, []);
    });
    expect(said).toBe(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`);
  });

  test('framing and connection fields of the owner are left out: they are ours to write', async () => {
    const fields = [
      'content-length',
      '9',
      'transfer-encoding',
      'chunked',
      'connection',
      'x',
      'keep-alive',
      'a',
      'upgrade',
      'b',
      'http2-settings',
      'c',
    ];
    const said = await answerTo(GET, ({ responder }) => {
      responder.head({ status: 200, fields: [...fields, 'x-a', 'b'], bodyBytes: 0 });
      responder.end([]);
    });
    expect(said).toBe('HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 0\r\n\r\n');
  });

  test.each([
    ['CR in a value', 200, ['a', 'b\rc']],
    ['LF in a value', 200, ['a', 'b\nc']],
    ['NUL in a value', 200, ['a', 'b\0c']],
    ['what is no byte in a value', 200, ['a', '\u{10d}\u{10a}']],
    ['a blank in a name', 200, ['a b', 'c']],
    ['a colon in a name', 200, ['a:b', 'c']],
    ['no name', 200, ['', 'c']],
    ['a status that is none', 20, []],
    ['a switch that nobody asked for', 101, []],
  ])('%s is never written', async (_, status, fields) => {
    const { link, requests, offences } = driveServer({
      onEnd: ({ responder }) => responder.head({ status, fields, bodyBytes: 0 }),
    });
    link.give(GET);
    await turn();
    expect(link.written).toBe('');
    expect(link.isDestroyed).toBe(true);
    expect(offences).toHaveLength(1);
    link.events?.closed(undefined);
    expect(requests[0]?.outcomes).toEqual(['end', 'cancel closed']);
  });

  test.each([
    ['shorter', ['abc']],
    ['longer', ['abcde', 'f']],
  ])('a body that is %s than declared breaks the connection off', async (_, pieces) => {
    const { link, requests } = driveServer({
      onEnd: ({ responder }) => {
        responder.head({ status: 200, fields: [], bodyBytes: 5 });
        for (const piece of pieces) responder.data(Buffer.from(piece));
        responder.end([]);
      },
    });
    link.give(GET);
    await turn();
    expect(link.isDestroyed).toBe(true);
    link.events?.closed(undefined);
    expect(requests[0]?.outcomes).toEqual(['end', 'cancel closed']);
  });

  test('an answer that is aborted before its head is none; after it, it is cut off, and what there was of it is sent', async () => {
    const before = driveServer({ onHead: ({ responder }) => responder.abort(gone) });
    before.link.give(post(5), 'hello');
    await turn();
    expect(before.link).toMatchObject({ written: '', isEnded: true, isDestroyed: false });
    const after = driveServer({ onEnd: ({ responder }) => responder.head({ status: 200, fields: [], bodyBytes: 5 }) });
    after.link.give(GET);
    after.requests[0]?.responder.data(Buffer.from('hel'));
    after.requests[0]?.responder.abort(gone);
    expect(after.link.written).toMatch(/\r\n\r\nhel$/);
    expect(after.link).toMatchObject({ isEnded: true, isDestroyed: false });
    after.link.events?.closed(undefined);
    expect([before.requests[0]?.outcomes, after.requests[0]?.outcomes]).toEqual([[], ['end']]);
  });

  test('an answer that only its end delimits is cut off by a reset: it must not look whole', () => {
    const { link, requests } = driveServer();
    link.give('GET / HTTP/1.0\r\n\r\n');
    requests[0]?.responder.head({ status: 200, fields: [], bodyBytes: undefined });
    requests[0]?.responder.data(Buffer.from('half'));
    requests[0]?.responder.abort(gone);
    expect(link).toMatchObject({ isEnded: false, isDestroyed: true });
  });
});

describe('requests in a row', () => {
  test('are served one after the other, and each only when the one before is answered', async () => {
    const { link, requests } = driveServer();
    link.give(get('/1') + get('/2'), get('/3'));
    expect(requests.map(({ head }) => head.target)).toEqual(['/1']);
    requests[0]?.answer();
    expect(requests).toHaveLength(1);
    await turn();
    expect(requests.map(({ head }) => head.target)).toEqual(['/1', '/2']);
    requests[1]?.answer();
    await turn();
    requests[2]?.answer();
    await turn();
    expect(requests.map(({ head }) => head.target)).toEqual(['/1', '/2', '/3']);
    expect(link.written).toBe(OK.repeat(3));
  });

  test('do not inherit trailers', () => {
    const { link, requests } = driveEcho();
    link.give(`${CHUNKED}0\r\nx-a: b\r\n\r\n${post(2)}ok`);
    expect(requests.map(({ trailers }) => trailers)).toEqual([['x-a', 'b'], []]);
  });

  test('wait within a bound; beyond it nothing more is read until there is room', async () => {
    const { link, requests } = driveServer({ limits: { aheadBytesMax: 100 } });
    link.give(get('/1'), get('/2').repeat(2));
    expect(link.isPaused).toBe(false);
    link.give(get('/3').repeat(3));
    expect(link.isPaused).toBe(true);
    requests[0]?.answer();
    expect(link.isPaused).toBe(false);
    await turn();
    expect(requests).toHaveLength(2);
  });

  test('a broken one is refused behind the answers to those before it', async () => {
    const { link, requests } = driveServer();
    link.give(`${GET}broken\r\n\r\n`);
    expect(link.written).toBe('');
    requests[0]?.answer();
    await turn();
    await turn();
    expect(link.written.startsWith(`${OK}HTTP/1.1 400 Bad Request\r\n`)).toBe(true);
    expect(link.isEnded).toBe(true);
  });

  test('behind Connection: close none is served', async () => {
    const { link, requests } = driveEcho();
    link.give(get('/1', 'Connection: Close') + get('/2'));
    await turn();
    expect(requests).toHaveLength(1);
    expect(link.written).toContain('connection: close\r\n');
  });
});

describe('an answer before the end of the request', () => {
  test('keeps the connection where little of the request is left, which nobody gets to see', async () => {
    const { link, requests, connection } = driveServer({ onHead: (request) => request.answer() });
    link.give(post(10), 'hello', `world${GET}`);
    await turn();
    expect(link.written).toBe(OK + OK);
    expect(requests.map(({ body, outcomes }) => [body, outcomes])).toEqual([
      ['', []],
      ['', []],
    ]);
    expect(connection.phase).toBe('idle');
  });

  test.each([
    ['much is left', post(1_000_000)],
    ['nobody knows how much is left', CHUNKED],
    [
      'the client may not send it at all',
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
    ],
  ])('says close where %s, and lingers', async (_, head) => {
    const { link, requests, connection } = driveServer({ onHead: (request) => request.answer() });
    link.give(head);
    await turn();
    expect(link.written).toContain('connection: close\r\n');
    expect(link.isEnded).toBe(true);
    link.give(GET, GET);
    expect(requests).toHaveLength(1);
    expect(connection.phase).toBe('lingering');
  });

  test('lingering has an end, in bytes and in time', () => {
    for (const isTime of [true, false]) {
      const { link, connection, clock } = driveServer({
        onHead: (request) => request.answer(),
        limits: { lingerBytesMax: 100 },
      });
      link.give(CHUNKED);
      if (isTime) {
        connection.sweep(4999);
        expect(link.isDestroyed).toBe(false);
        connection.sweep(clock.elapsedMs + 5000);
      } else {
        link.give('x'.repeat(100));
        expect(link.isDestroyed).toBe(false);
        link.give('x');
      }
      expect(link.isDestroyed).toBe(true);
    }
  });

  test('a request that is not wanted any more is still answered', async () => {
    const { link, requests } = driveServer({ onHead: ({ responder }) => responder.cancel(gone) });
    link.give(post(10), 'hello', 'world');
    requests[0]?.answer();
    await turn();
    expect(link.written).toBe(OK);
    expect(requests[0]).toMatchObject({ body: '', outcomes: [] });
  });
});
