// A client's connection: where an answer ends, whether there may be another exchange, and who hears what when it breaks.
import { describe, expect, test } from 'vitest';
import { driveClient, turn } from './testing/drive.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const gone = { kind: 'reset', reason: 'test' } as const;

describe('the request', () => {
  test.each([
    ['GET', 0, ''],
    ['POST', 0, 'content-length: 0\r\n'],
    ['POST', 2, 'content-length: 2\r\n'],
    ['GET', 2, 'content-length: 2\r\n'],
  ])('%s with %i bytes leaves in one write', async (method, bodyBytes, framing) => {
    const { link, send } = driveClient();
    const { requester } = send({ method, target: '/a?b', fields: ['x-a', 'b', 'host', 'other'], bodyBytes });
    requester.data(Buffer.alloc(bodyBytes, 'x'));
    requester.end([]);
    await turn();
    expect(link.writes).toBe(1);
    expect(link.written).toBe(
      `${method} /a?b HTTP/1.1\r\nhost: app\r\nx-a: b\r\n${framing}\r\n${'x'.repeat(bodyBytes)}`,
    );
  });

  test('without a length goes in chunks, with trailers', async () => {
    const { link, send } = driveClient();
    const ours = ['expect', '100-continue', 'content-length', '9', 'transfer-encoding', 'gzip', 'connection', 'x'];
    const fields = [...ours, 'http2-settings', 'AA'];
    const { requester } = send({ method: 'PUT', bodyBytes: undefined, expectsContinue: true, fields });
    requester.data(Buffer.from('hello'));
    requester.end(['x-sum', '1']);
    await turn();
    expect(link.written).toBe(
      'PUT / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n' +
        '5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n',
    );
  });

  test.each([
    ['a blank in the method', { method: 'GE T' }],
    ['no method', { method: '' }],
    ['a blank in the target', { target: '/a b' }],
    ['a line break in the target', { target: '/\r\nx: y' }],
    ['no target', { target: '' }],
    ['a line break in the authority', { authority: 'a\r\nb' }],
    ['a path in the authority', { authority: 'a/b' }],
    ['a line break in a value', { fields: ['a', 'b\r\nc: d'] }],
    ['an upper-case name', { fields: ['A', 'b'] }],
    ['a line break in the protocol to upgrade to', { upgrade: 'a\r\nb' }],
    ['half a byte of body', { bodyBytes: 0.5 }],
  ])('with %s is never written', async (_, head) => {
    const { link, send, connection, offences } = driveClient();
    expect(send(head).answer.outcomes).toEqual(['abort malformed']);
    await turn();
    expect(link.written).toBe('');
    expect(offences).toHaveLength(1);
    expect(connection.isIdle).toBe(true);
  });

  test.each([
    ['longer', 'abcdef'],
    ['shorter', 'abc'],
  ])('a body %s than declared breaks the connection off', (_, body) => {
    const { link, send, connection } = driveClient();
    const { requester, answer } = send({ method: 'POST', bodyBytes: 5 });
    requester.data(Buffer.from(body));
    requester.end([]);
    expect(answer.outcomes).toEqual(['abort malformed']);
    expect(link.isDestroyed).toBe(true);
    expect(connection.isIdle).toBe(false);
  });

  test('on a connection that is in use is given back', () => {
    const { send } = driveClient();
    const first = send();
    expect(send().answer.outcomes).toEqual(['abort refused']);
    expect(first.answer.outcomes).toEqual([]);
  });
});

describe('the answer', () => {
  test.each([
    ['a length', OK, 'ok', []],
    ['no body', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '', []],
    ['chunks', `${CHUNKED}1;x\r\no\r\n1\r\nk\r\n0\r\nX-A: b\r\n\r\n`, 'ok', ['x-a', 'b']],
    ['no reason', 'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok', 'ok', []],
    ['no reason and no blank', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok', 'ok', []],
    ['204 and a length that means nothing', 'HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n', '', []],
    ['304 and the length of something else', 'HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n', '', []],
    ['HTTP/1.0 that keeps', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok', 'ok', []],
  ])('with %s leaves the connection fit for another, in whatever pieces it comes', (_, bytes, body, trailers) => {
    const { link, send, connection, idles } = driveClient();
    for (const pieces of [[bytes], [...bytes]]) {
      const { answer, requester } = send();
      requester.end([]);
      link.give(...pieces);
      expect(answer).toMatchObject({ body, trailers, outcomes: ['end'] });
      expect(connection.isIdle).toBe(true);
    }
    expect(idles()).toBe(2);
  });

  test('to HEAD has no body, whatever it says', () => {
    const { link, send, connection } = driveClient();
    const { answer } = send({ method: 'HEAD' });
    link.give('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    expect(answer).toMatchObject({ body: '', outcomes: ['end'], response: { bodyBytes: 5 } });
    expect(connection.isIdle).toBe(true);
  });

  test('without length or chunks goes up to the end of the connection', () => {
    const { link, send, connection } = driveClient();
    const { answer } = send();
    link.give('HTTP/1.1 200 OK\r\n\r\nhel', 'lo');
    expect(answer).toMatchObject({ body: 'hello', outcomes: [], response: { bodyBytes: undefined } });
    link.events?.ended();
    expect(answer.outcomes).toEqual(['end']);
    expect(connection.isIdle).toBe(false);
    expect(link.isEnded).toBe(true);
  });

  test('informational ones come before, within a bound', () => {
    const { link, send } = driveClient();
    const { answer } = send();
    link.give(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${OK}`);
    expect(answer).toMatchObject({ informationals: [100, 103], outcomes: ['end'] });
    const next = send();
    link.give('HTTP/1.1 102 Processing\r\n\r\n'.repeat(17));
    expect(next.answer.outcomes).toEqual(['abort limit']);
    expect(link.isDestroyed).toBe(true);
  });

  test.each([
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['something behind it', `${OK}HTTP/1.1 `],
    ['a body where HEAD has none', `${OK}`],
  ])('with %s leaves it unfit', (_, bytes) => {
    const { link, send, connection, idles } = driveClient();
    const { answer } = send({ method: bytes === OK ? 'HEAD' : 'GET' });
    link.give(bytes);
    expect(answer.outcomes).toEqual(['end']);
    expect(connection.isIdle).toBe(false);
    expect(idles()).toBe(0);
    expect(link.isEnded).toBe(true);
  });

  test('that nobody asked for is never taken for the next one', () => {
    const { link, send, offences } = driveClient();
    link.give(OK);
    expect(link.isDestroyed).toBe(true);
    expect(offences).toEqual([{ kind: 'malformed', reason: 'unasked-answer' }]);
    expect(send().answer.outcomes).toEqual(['abort refused']);
  });

  test('says how long the connection is kept', () => {
    const { link, send, connection } = driveClient();
    send();
    link.give('HTTP/1.1 204 No Content\r\nKeep-Alive: max=5, timeout=3\r\n\r\n');
    expect(connection.keepAliveTimeoutMs).toBe(3000);
    send();
    link.give('HTTP/1.1 204 No Content\r\n\r\n');
    expect(connection.keepAliveTimeoutMs).toBeUndefined();
  });

  test('before the end of the request is taken, and the rest of the request is not sent', async () => {
    const { link, send, connection } = driveClient();
    const { requester, answer } = send({ method: 'POST', bodyBytes: 1000 });
    requester.data(Buffer.alloc(10));
    await turn();
    const { length } = link.written;
    link.give(OK);
    expect(answer).toMatchObject({ body: 'ok', outcomes: ['end'] });
    requester.data(Buffer.alloc(990));
    requester.end([]);
    await turn();
    expect(link.written).toHaveLength(length);
    expect(connection.isIdle).toBe(false);
    expect(link.isDestroyed).toBe(true);
  });

  test.each([
    ['no status line', 'hello\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a status that is none', 'HTTP/1.1 600 OK\r\n\r\n'],
    ['a blank too many', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['an empty line before it', `\r\n${OK}`],
    ['bare LFs', OK.replaceAll('\r', '')],
    ['a folded field', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok'],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok'],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a switch that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
    ['a broken chunk', `${CHUNKED}x\r\n`],
    ['a forbidden trailer', `${CHUNKED}0\r\nSet-Cookie: a\r\n\r\n`],
  ])('with %s is none', (_, bytes) => {
    for (const pieces of [[bytes], [...bytes]]) {
      const { link, send, offences } = driveClient();
      const { answer } = send();
      link.give(...pieces);
      expect(answer.outcomes).toEqual(['abort malformed']);
      expect(offences).toHaveLength(1);
      expect(link.isDestroyed).toBe(true);
    }
  });

  test('with too large a head, or too many fields, names the bound', () => {
    for (const [fields, rule] of [
      [`a: ${'x'.repeat(65_536)}\r\n`, 'head-bytes'],
      ['a: b\r\n'.repeat(129), 'head-fields'],
    ]) {
      const { link, send, offences } = driveClient();
      const { answer } = send();
      link.give(`HTTP/1.1 200 OK\r\n${fields}\r\n`);
      expect(answer.outcomes).toEqual(['abort limit']);
      expect(offences).toEqual([{ kind: 'limit', reason: rule }]);
    }
  });
});

describe('a server that goes', () => {
  test.each([
    ['before a byte of the answer', '', 'closed'],
    ['in the middle of the head', 'HTTP/1.1 2', 'reset'],
    ['behind an informational answer', 'HTTP/1.1 100 Continue\r\n\r\n', 'reset'],
    ['in the middle of a body with a length', OK.slice(0, -1), 'reset'],
    ['in the middle of a chunk', `${CHUNKED}5\r\nhe`, 'reset'],
    ['behind the last chunk', `${CHUNKED}0\r\n`, 'reset'],
  ])('%s: the caller hears so, once', (_, bytes, kind) => {
    for (const how of ['ended', 'closed'] as const) {
      const { link, send, connection, closes } = driveClient();
      const { answer, requester } = send({ method: 'POST', bodyBytes: 5 });
      requester.data(Buffer.from('he'));
      link.give(bytes);
      if (how === 'ended') link.events?.ended();
      link.events?.closed(how === 'ended' ? undefined : new Error('ECONNRESET'));
      expect(answer.outcomes).toEqual([`abort ${kind}`]);
      expect(connection.isIdle).toBe(false);
      expect(closes()).toBe(1);
      requester.data(Buffer.from('llo'));
      requester.end([]);
    }
  });

  test('by a reset, in a body that only its end delimits: that is no end', () => {
    const { link, send } = driveClient();
    const { answer } = send();
    link.give('HTTP/1.1 200 OK\r\n\r\nhel');
    link.events?.closed(new Error('ECONNRESET'));
    expect(answer.outcomes).toEqual(['abort reset']);
  });

  test('while idle: the connection is not fit any more', () => {
    const { link, connection, send, closes } = driveClient();
    link.events?.ended();
    expect(connection.isIdle).toBe(false);
    expect(link.isEnded).toBe(true);
    expect(send().answer.outcomes).toEqual(['abort refused']);
    link.events?.closed(undefined);
    expect(closes()).toBe(1);
  });
});

describe('the caller', () => {
  test.each(['abort', 'cancel'] as const)('that gives up (%s) ends the connection and hears nothing more', (how) => {
    const { link, send } = driveClient();
    const { requester, answer } = send({ method: 'POST', bodyBytes: 5 });
    link.give(OK.slice(0, -1));
    requester[how](gone);
    expect(link.isDestroyed).toBe(true);
    link.give('k');
    link.events?.closed(undefined);
    expect(answer).toMatchObject({ body: 'o', outcomes: [] });
  });

  test('that goes on when all is over does no harm to the next exchange', async () => {
    const { link, send } = driveClient();
    const first = send();
    link.give(OK);
    const second = send({ method: 'POST', bodyBytes: undefined });
    await turn();
    const { written } = link;
    first.requester.data(Buffer.from('x'));
    first.requester.end([]);
    first.requester.cancel(gone);
    await turn();
    expect(link.written).toBe(written);
    second.requester.end([]);
    link.give(OK);
    expect(link.isDestroyed).toBe(false);
    expect(second.answer.outcomes).toEqual(['end']);
  });

  test('that pauses stops the reading until it resumes, or the answer is over', () => {
    const { link, send } = driveClient();
    const { requester, answer } = send();
    answer.flow = 'pause';
    link.give(OK.slice(0, -1));
    expect(link.isPaused).toBe(true);
    requester.resume();
    expect(link.isPaused).toBe(false);
    link.give('k');
    expect(link.isPaused).toBe(false);
    expect(answer.outcomes).toEqual(['end']);
  });

  test('is paused by a server that reads slowly', () => {
    const { link, send } = driveClient();
    const { requester, answer } = send({ method: 'POST', bodyBytes: undefined });
    link.hasRoom = false;
    expect(requester.data(Buffer.alloc(140_000))).toBe('pause');
    link.events?.drained();
    expect(answer.resumes).toBe(1);
  });

  test('drains: an idle connection at once, one in use with its exchange', () => {
    const idle = driveClient();
    idle.connection.drain();
    expect(idle.link.isEnded).toBe(true);
    expect(idle.connection.isIdle).toBe(false);
    const { link, connection, send } = driveClient();
    const { answer } = send();
    connection.drain();
    expect(link.isEnded).toBe(false);
    link.give(OK);
    expect(answer.outcomes).toEqual(['end']);
    expect(link.isEnded).toBe(true);
    expect(connection.isIdle).toBe(false);
  });
});

describe('tunnels', () => {
  const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

  test('what comes behind the head belongs to the tunnel, and both ends end for themselves', async () => {
    const { link, send } = driveClient();
    const { requester, answer } = send({ upgrade: 'websocket' });
    link.give(`${SWITCHED}early`, 'late');
    expect(answer).toMatchObject({ body: 'earlylate', response: { status: 101, fields: ['upgrade', 'websocket'] } });
    requester.data(Buffer.from('\0bare'));
    requester.end([]);
    expect(link.written).toBe('GET / HTTP/1.1\r\nhost: app\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\0bare');
    expect(link.isEnded).toBe(true);
    link.give('last');
    link.events?.ended();
    link.events?.closed(undefined);
    expect(answer).toMatchObject({ body: 'earlylatelast', outcomes: ['end'] });
  });

  test('CONNECT needs no more than a 2xx', () => {
    const { link, send } = driveClient();
    const { answer } = send({ method: 'CONNECT', target: 'b:443', authority: 'b:443' });
    link.give('HTTP/1.1 200 OK\r\n\r\nearly');
    expect(answer.body).toBe('early');
  });

  test('one that is refused leaves the connection fit for another exchange', () => {
    const { link, send, connection } = driveClient();
    const { answer } = send({ upgrade: 'websocket' });
    link.give(OK);
    expect(answer.outcomes).toEqual(['end']);
    expect(connection.isIdle).toBe(true);
  });

  test.each([
    ['while both ends are open', false, false, ['abort reset']],
    ['when theirs has ended', true, false, ['end', 'cancel reset']],
    ['when ours has ended', false, true, ['abort reset']],
    ['when both have ended', true, true, ['end']],
  ])('one that breaks %s is heard of once', (_, isTheirsOver, isOursOver, outcomes) => {
    const { link, send } = driveClient();
    const { requester, answer } = send({ upgrade: 'websocket' });
    link.give(SWITCHED);
    if (isTheirsOver) link.events?.ended();
    if (isOursOver) requester.end([]);
    link.events?.closed(new Error('ECONNRESET'));
    expect(answer.outcomes).toEqual(outcomes);
  });
});
