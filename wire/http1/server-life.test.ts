// A server's connection beyond the plain exchange: clients that go, 100-continue, back-pressure, tunnels, its owner.
import { describe, expect, test } from 'vitest';
import { driveEcho, driveServer, type ReceivedRequest, turn } from './testing/drive.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const get = (path: string, ...fields: string[]) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields.map((f) => `${f}\r\n`).join('')}\r\n`;
const post = (length: number) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe('a client that goes', () => {
  test.each([
    ['before the end of its request', post(5), 'abort closed'],
    ['before its answer', GET, 'cancel closed'],
  ])('%s: whoever serves it hears so, once', async (_, bytes, outcome) => {
    for (const how of ['ended', 'closed'] as const) {
      const { link, requests, closes } = driveServer();
      link.give(bytes);
      if (how === 'ended') link.events?.ended();
      link.events?.closed(undefined);
      expect(requests[0]?.outcomes.at(-1)).toBe(outcome);
      expect(requests[0]?.outcomes.filter((said) => said !== 'end')).toHaveLength(1);
      expect(closes()).toBe(1);
      requests[0]?.answer();
      requests[0]?.responder.resume();
      await turn();
      expect(link.written).toBe('');
    }
  });

  test('in the middle of its answer: it is cut off, and does not look complete', async () => {
    const { link, requests } = driveServer({
      onEnd: ({ responder }) => void responder.head({ status: 200, fields: [], bodyBytes: undefined }),
    });
    link.give(GET);
    await turn();
    link.events?.ended();
    expect(link.isDestroyed).toBe(true);
    expect(requests[0]?.outcomes).toEqual(['end', 'cancel closed']);
  });

  test('between requests, or in the middle of a head: the connection ends', () => {
    for (const bytes of [[], [GET.slice(0, 9)], [GET]]) {
      const { link, closes } = driveEcho();
      link.give(...bytes);
      link.events?.ended();
      expect(link.isEnded).toBe(true);
      link.events?.closed(undefined);
      expect(closes()).toBe(1);
    }
  });
});

describe('100-continue', () => {
  test('is said when the owner says so, and then the body follows', async () => {
    const { link, requests, connection } = driveServer({ onEnd: (request) => request.answer(request.body) });
    link.give('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
    expect(requests[0]?.head.expectsContinue).toBe(true);
    requests[0]?.responder.informational(100, []);
    await turn();
    expect(link.written).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    link.give('ok');
    await turn();
    expect(link.written).toBe(`HTTP/1.1 100 Continue\r\n\r\n${OK}`);
    expect(connection.phase).toBe('idle');
  });
});

describe('back-pressure', () => {
  test('a receiver that pauses stops the reading until it resumes', () => {
    const { link, requests } = driveServer({
      onHead: (request) => {
        request.flow = 'pause';
      },
    });
    link.give(post(10), 'hello');
    expect(link.isPaused).toBe(true);
    requests[0]?.responder.resume();
    expect(link.isPaused).toBe(false);
    link.give('world');
    // The request is over: its answer must not wait for a resume.
    requests[0]?.answer();
    expect(link.isPaused).toBe(false);
  });

  test('a client that reads slowly pauses the answer until it has read', async () => {
    const { link, requests } = driveServer();
    link.give(GET);
    link.hasRoom = false;
    requests[0]?.responder.head({ status: 200, fields: [], bodyBytes: undefined });
    expect(requests[0]?.responder.data(Buffer.alloc(10))).toBe('ok');
    expect(requests[0]?.responder.data(Buffer.alloc(140_000))).toBe('pause');
    expect(requests[0]?.resumes).toBe(0);
    link.events?.drained();
    expect(requests[0]?.resumes).toBe(1);
  });

  test('a client that asks again and again and reads nothing is not served until it has read', async () => {
    const { link, requests, connection } = driveServer({ onEnd: (request) => request.answer('x'.repeat(140_000)) });
    link.hasRoom = false;
    link.give(get('/1') + get('/2'), get('/3'));
    connection.sweep(1_000_000);
    expect(requests).toHaveLength(1);
    link.hasRoom = true;
    link.events?.drained();
    await turn();
    expect(requests.map(({ head }) => head.target)).toEqual(['/1', '/2', '/3']);
    expect(connection.phase).toBe('idle');
  });

  test('what it asks meanwhile is bounded, too', () => {
    const { link, requests } = driveServer({
      limits: { aheadBytesMax: 100 },
      onEnd: (request) => request.answer('x'.repeat(140_000)),
    });
    link.hasRoom = false;
    link.give(GET.repeat(9));
    expect(link.isPaused).toBe(true);
    link.events?.drained();
    expect(link.isPaused).toBe(false);
    expect(requests).toHaveLength(1);
  });
});

describe('tunnels', () => {
  const upgrade = get('/', 'Connection: Upgrade', 'Upgrade: websocket');
  const connect = 'CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n';
  const open = (request: ReceivedRequest | undefined, status = 101) =>
    request?.responder.head({ status, fields: ['upgrade', 'websocket'], bodyBytes: undefined });

  test('what comes behind the head belongs to the tunnel, and both ends end for themselves', async () => {
    const { link, requests, connection } = driveServer();
    link.give(`${upgrade}early`);
    expect(requests[0]?.outcomes).toEqual([]);
    open(requests[0]);
    await turn();
    link.give('late');
    expect(requests[0]?.body).toBe('earlylate');
    expect(connection.phase).toBe('tunnel');
    requests[0]?.responder.data(Buffer.from('\0bare'));
    link.events?.ended();
    expect(requests[0]?.outcomes).toEqual(['end']);
    requests[0]?.responder.data(Buffer.from('bytes'));
    requests[0]?.responder.end([]);
    expect(link.written).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\0barebytes',
    );
    expect(link.isEnded).toBe(true);
    link.events?.closed(undefined);
    expect(requests[0]?.outcomes).toEqual(['end']);
  });

  test('CONNECT says nothing of lengths', async () => {
    const { link, requests } = driveServer();
    link.give(connect, 'early');
    requests[0]?.responder.head({ status: 200, fields: [], bodyBytes: 7 });
    await turn();
    expect(link.written).toBe('HTTP/1.1 200 OK\r\n\r\n');
    expect(requests[0]?.body).toBe('early');
  });

  test('our end may end first', async () => {
    const { link, requests } = driveServer();
    link.give(upgrade);
    open(requests[0]);
    requests[0]?.responder.end([]);
    expect(link.isEnded).toBe(true);
    link.give('more');
    expect(requests[0]?.body).toBe('more');
    link.events?.ended();
    expect(requests[0]?.outcomes).toEqual(['end']);
  });

  test('one whose client is not wanted any more ends with our end', () => {
    for (const isEndFirst of [true, false]) {
      const { link, requests, connection } = driveServer();
      link.give(upgrade);
      open(requests[0]);
      if (isEndFirst) requests[0]?.responder.end([]);
      requests[0]?.responder.cancel({ kind: 'reset', reason: 'test' });
      if (!isEndFirst) requests[0]?.responder.end([]);
      link.give('more');
      expect(requests[0]).toMatchObject({ body: '', outcomes: [] });
      // So that it is swept out, should the client never end.
      expect(connection.phase).toBe('lingering');
      expect(link.isEnded).toBe(true);
    }
  });

  test.each([
    ['while both ends are open', false, false, ['abort closed']],
    ['when theirs has ended', true, false, ['end', 'cancel closed']],
    ['when ours has ended', false, true, ['abort closed']],
  ])('one that breaks %s is heard of once', (_, isTheirsOver, isOursOver, outcomes) => {
    const { link, requests } = driveServer();
    link.give(upgrade);
    open(requests[0]);
    if (isTheirsOver) link.events?.ended();
    if (isOursOver) requests[0]?.responder.end([]);
    link.events?.closed(new Error('ECONNRESET'));
    expect(requests[0]?.outcomes).toEqual(outcomes);
  });

  test('one that is refused leaves the connection to requests', async () => {
    const { link, requests } = driveServer();
    link.give(upgrade + GET);
    requests[0]?.answer('no');
    await turn();
    requests[1]?.answer('ok');
    await turn();
    expect(link.written).toBe(`${OK.slice(0, -2)}no${OK}`);
    expect(requests[0]).toMatchObject({ body: '', outcomes: [] });
  });

  test('bytes that come before it is decided wait within a bound', () => {
    const { link } = driveServer({ limits: { aheadBytesMax: 10 } });
    link.give(upgrade, 'x'.repeat(11));
    expect(link.isPaused).toBe(true);
  });
});

describe('the owner', () => {
  test('drains: an idle connection ends at once, a busy one with its answer, which says so', async () => {
    const idle = driveEcho();
    idle.connection.drain();
    expect(idle.link.isEnded).toBe(true);
    const busy = driveServer();
    busy.link.give(GET);
    busy.connection.drain();
    expect(busy.link.isEnded).toBe(false);
    busy.requests[0]?.answer();
    expect(busy.link.written).toContain('connection: close\r\n');
    expect(busy.link.isEnded).toBe(true);
  });

  test('drains one whose answer has begun: it ends with that answer', () => {
    const { link, requests, connection } = driveServer();
    link.give(GET);
    requests[0]?.responder.head({ status: 200, fields: [], bodyBytes: 0 });
    connection.drain();
    requests[0]?.responder.end([]);
    expect(link.isEnded).toBe(true);
  });

  test('sweeps out who waits too long: for a request, or in the middle of a head, but not for an answer', async () => {
    const { link, connection, clock, requests, offences } = driveServer();
    connection.sweep(119_999);
    expect(link.isEnded).toBe(false);
    clock.elapsedMs = 119_999;
    link.give(GET.slice(0, 5));
    expect(connection.phase).toBe('head');
    clock.elapsedMs = 125_000;
    link.give(GET.slice(5, 9));
    connection.sweep(129_998);
    expect(link.isEnded).toBe(false);
    link.give(GET.slice(9));
    connection.sweep(1_000_000);
    expect(link.isEnded).toBe(false);
    clock.elapsedMs = 2_000_000;
    requests[0]?.answer();
    link.give(GET.slice(0, 5));
    connection.sweep(2_010_000);
    await turn();
    expect(link.written).toContain('HTTP/1.1 408 ');
    expect(offences).toEqual([{ kind: 'limit', reason: 'head-time' }]);
    const idle = driveServer();
    idle.connection.sweep(120_000);
    expect(idle.link).toMatchObject({ isEnded: true, written: '' });
  });

  test('sweeps and drains out who was answered, and never sends the rest of its request', () => {
    for (const end of ['sweep', 'drain'] as const) {
      const { link, connection, clock } = driveServer({ onHead: (request) => request.answer() });
      clock.elapsedMs = 5000;
      link.give(post(5));
      connection.sweep(124_999);
      link.give('1234');
      expect(link.isEnded).toBe(false);
      if (end === 'sweep') connection.sweep(125_000);
      else connection.drain();
      expect(link.isEnded).toBe(true);
    }
  });

  test('sweeps out nobody who reads its last answer slowly, up to the end of it', async () => {
    for (const fields of [['Connection: close'], []]) {
      const { link, connection, clock } = driveServer({ onEnd: (request) => request.answer('x'.repeat(140_000)) });
      link.hasRoom = false;
      link.give(get('/', ...fields));
      connection.drain();
      connection.sweep(1_000_000);
      expect(link).toMatchObject({ isEnded: false, isDestroyed: false });
      clock.elapsedMs = 1_000_000;
      link.hasRoom = true;
      link.events?.drained();
      expect(link.isEnded).toBe(true);
      connection.sweep(1_004_999);
      expect(link.isDestroyed).toBe(false);
      connection.sweep(1_005_000);
      expect(link.isDestroyed).toBe(true);
    }
  });

  test('sweeps out who leaves its answer unread, where there is a bound', () => {
    const { link, connection } = driveServer({ unreadMs: 10, onEnd: (request) => request.answer('x'.repeat(140_000)) });
    link.hasRoom = false;
    link.give(GET);
    connection.sweep(9);
    expect(link.isDestroyed).toBe(false);
    connection.sweep(10);
    expect(link.isDestroyed).toBe(true);
  });

  test('destroys it: whoever is served hears so', () => {
    const { link, connection, requests } = driveServer();
    link.give(GET);
    connection.destroy();
    expect(link.isDestroyed).toBe(true);
    link.events?.closed(undefined);
    expect(requests[0]?.outcomes).toEqual(['end', 'cancel closed']);
    expect(connection).toMatchObject({ phase: 'closed', requests: 1 });
  });
});
