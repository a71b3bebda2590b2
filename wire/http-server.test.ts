// One port for both: which protocol a client is served in, and how a connection of either comes to its end.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../kit/testing/clock.ts';
import { type HttpProtocol, type HttpServerConnection, type HttpServerOptions, httpServer } from './http-server.ts';
import { driveServer, HandLink, ReceivedRequest, turn } from './http1/testing/drive.ts';
import { ErrorCode, Flag, FrameType, PREFACE } from './http2/protocol.ts';
import { Setting, writeSettings } from './http2/settings.ts';
import { cutAt, linkPair, type MemoryLink } from './testing/link-pair.ts';
import { get, headers, opening, post, RawPeer, rawFrame } from './testing/raw-frames.ts';

interface Served {
  readonly connection: HttpServerConnection;
  readonly clock: ManualClock;
  readonly requests: readonly (ReceivedRequest & { readonly protocol: HttpProtocol })[];
  readonly offences: readonly string[];
  readonly closes: () => number;
}

class Asked extends ReceivedRequest {
  protocol: HttpProtocol = 'http/1.1';
}

/** Answers each request at its head, unless it is to be held. */
function served(link: HandLink | MemoryLink, isHeld = false, options: Partial<HttpServerOptions> = {}): Served {
  const clock = manualClock();
  const requests: Asked[] = [];
  const offences: string[] = [];
  let closes = 0;
  const connection = httpServer(
    link,
    (head, responder, { protocol }) => {
      const request = new Asked(head, responder);
      request.protocol = protocol;
      requests.push(request);
      if (!isHeld) request.answer();
      return request;
    },
    {
      clock,
      http2: {},
      offence: ({ reason }, protocol) => offences.push(`${protocol} ${reason}`),
      closed: () => closes++,
      ...options,
    },
  );
  return { connection, clock, requests, offences, closes: () => closes };
}

function peerOf(isHeld = false, options: Partial<HttpServerOptions> = {}) {
  const [near, far] = linkPair();
  return { ...served(near, isHeld, options), far, peer: new RawPeer(far) };
}

const text = (...lines: string[]) => [...lines, '', ''].join('\r\n');
const plain = text('POST / HTTP/1.1', 'Host: a', 'Content-Length: 0');
const SETTINGS = writeSettings([[Setting.INITIAL_WINDOW_SIZE, 10]]).toString('base64url');
const upgrade = (...lines: string[]) =>
  text('GET /up HTTP/1.1', 'Host: a', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', ...lines);
const withSettings = (settings: string) => upgrade(`HTTP2-Settings: ${settings}`);

describe('the first bytes decide', () => {
  const places = fc.array(fc.nat(), { maxLength: 6 });

  test('in favour of HTTP/1.1, in whatever pieces they come', () => {
    fc.assert(
      fc.property(places, (cuts) => {
        const link = new HandLink();
        const { requests } = served(link);
        link.give(...cutAt(Buffer.from(plain), cuts));
        expect(requests.map(({ head, protocol }) => [head.method, protocol])).toEqual([['POST', 'http/1.1']]);
      }),
    );
  });

  test('in favour of HTTP/2, in whatever pieces they come', () => {
    fc.assert(
      fc.property(places, (cuts) => {
        const link = new HandLink();
        const { requests } = served(link);
        link.give(...cutAt(Buffer.concat([opening(), get(1)]), cuts));
        expect(requests.map(({ head, protocol }) => [head.method, protocol])).toEqual([['GET', 'http/2']]);
      }),
    );
  });

  test.each(['PRI / HTTP/1.1', 'PRI * HTTP/1.1'])('%s is a request like any other', (line) => {
    const link = new HandLink();
    const { requests } = served(link);
    link.give(text(line, 'Host: a'));
    expect([requests.length, link.isDestroyed, link.isEnded]).not.toEqual([0, false, false]);
  });

  test('what begins as HTTP/2 and goes on as something else ends, and is an offence', async () => {
    const { far, offences } = peerOf();
    far.write(Buffer.from(text('PRI * HTTP/2.0', 'Host: a')));
    await expect.poll(() => offences).toEqual(['http/2 what does not begin as HTTP/2 does']);
  });

  test('bytes that could become either are a head that takes too long', async () => {
    const link = new HandLink();
    const { connection, clock, offences } = served(link);
    link.give('PRI');
    expect(connection.isIdle).toBe(false);
    for (let seconds = 0; seconds < 21; seconds++) {
      clock.advance(1000);
      connection.sweep(clock.elapsed());
    }
    expect(link.written).toMatch(/^HTTP\/1\.1 408 /);
    expect(offences).toEqual(['http/1.1 head-time']);
  });

  test('for HTTP/1.1 alone where HTTP/2 is not spoken', () => {
    const { link, requests, offences } = driveServer();
    link.give(opening());
    expect([requests.length, offences.length]).toEqual([0, 1]);
  });
});

describe('Upgrade: h2c', () => {
  test('is answered with 101, the request itself on stream 1, and streams follow', async () => {
    const [near, far] = linkPair();
    const { requests, connection } = served(near);
    const received: Buffer[] = [];
    const events = { data: (chunk: Buffer) => received.push(chunk), drained() {}, ended() {}, closed() {} };
    far.listen(events);
    far.write(Buffer.from(withSettings(SETTINGS)));
    await expect.poll(() => Buffer.concat(received).toString('latin1')).toMatch(/ok/);
    expect(Buffer.concat(received).toString('latin1')).toMatch(
      /^HTTP\/1\.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n\0/,
    );
    expect(connection.protocol).toBe('http/2');
    far.write(Buffer.concat([opening(), get(3)]));
    await expect.poll(() => requests.map(({ head }) => head.target)).toEqual(['/up', '/']);
    expect(requests.map(({ protocol }) => protocol)).toEqual(['http/2', 'http/2']);
    expect(requests[0]?.head).toMatchObject({ upgrade: undefined, bodyBytes: 0 });
  });

  test.each([
    ['no settings', upgrade()],
    ['settings said twice', upgrade(`HTTP2-Settings: ${SETTINGS}`, `HTTP2-Settings: ${SETTINGS}`)],
    ['settings that cannot be read', withSettings('!')],
    ['half a setting', withSettings('AAMA')],
    ['a setting that breaks a rule', withSettings(writeSettings([[Setting.ENABLE_PUSH, 2]]).toString('base64url'))],
    ['a body', `${upgrade(`HTTP2-Settings: ${SETTINGS}`, 'Content-Length: 2')}ab`],
    ['HTTP/1.0', withSettings(SETTINGS).replace('HTTP/1.1', 'HTTP/1.0')],
    ['another protocol', withSettings(SETTINGS).replace(': h2c', ': websocket')],
  ])('with %s is served in HTTP/1.1', (_what, bytes) => {
    const link = new HandLink();
    const { requests } = served(link);
    link.give(bytes);
    expect(requests.map(({ head, protocol }) => [head.target, protocol])).toEqual([['/up', 'http/1.1']]);
    expect(link.written).not.toContain('101');
  });

  test('behind other requests, and among other protocols, is found', async () => {
    const link = new HandLink();
    const { requests } = served(link);
    link.give(plain, withSettings(SETTINGS).replace(': h2c', ': x, H2C'));
    await turn();
    expect(requests.map(({ protocol }) => protocol)).toEqual(['http/1.1', 'http/2']);
  });

  test('is not taken by a connection that drains', async () => {
    const link = new HandLink();
    const { requests, connection } = served(link);
    const bytes = withSettings(SETTINGS);
    link.give(bytes.slice(0, 30));
    connection.drain();
    link.give(bytes.slice(30));
    await turn();
    expect(requests.map(({ protocol }) => protocol)).toEqual(['http/1.1']);
    expect(link.written).toMatch(/^HTTP\/1\.1 200 .*connection: close/s);
  });

  test('whose client goes away at once is closed, once, and its request hears of it', async () => {
    const link = new HandLink();
    const { requests, closes } = served(link, true);
    link.give(withSettings(SETTINGS));
    await turn();
    link.events?.closed(undefined);
    await turn();
    expect(requests[0]?.outcomes).toEqual(['end', 'cancel closed']);
    expect(closes()).toBe(1);
  });
});

describe('a connection of HTTP/2', () => {
  const sweepFor = ({ clock, connection }: Served, ms: number) => {
    for (let swept = 0; swept < ms; swept += 1000) {
      clock.advance(1000);
      connection.sweep(clock.elapsed());
    }
  };

  test('that says nothing behind its first bytes is cut off after ten seconds', async () => {
    const all = peerOf();
    all.far.write(PREFACE);
    await all.peer.awaited(FrameType.SETTINGS);
    sweepFor(all, 9000);
    expect(all.peer.isClosed).toBe(false);
    sweepFor(all, 1000);
    await all.peer.closed();
    expect(all.closes()).toBe(1);
  });

  test('that asks for nothing is told to go after two minutes, and cut off where it does not', async () => {
    const all = peerOf();
    all.peer.send(opening());
    await all.peer.awaited(FrameType.SETTINGS);
    await expect.poll(() => all.peer.frames.some(({ flags }) => flags === Flag.ACK)).toBe(true);
    sweepFor(all, 119_000);
    expect(all.peer.frames.some(({ type }) => type === FrameType.GOAWAY)).toBe(false);
    sweepFor(all, 2000);
    await all.peer.awaited(FrameType.GOAWAY);
    expect(all.peer.isClosed).toBe(false);
    sweepFor(all, 10_000);
    await all.peer.closed();
  });

  test('that asks now and then, or waits for an answer, is kept', async () => {
    const all = peerOf(true);
    all.peer.send(opening());
    for (const id of [1, 3, 5]) {
      all.peer.send(get(id));
      await expect.poll(() => all.requests.length).toBe((id + 1) / 2);
      all.requests.at(-1)?.answer();
      await all.peer.awaited(FrameType.DATA, id);
      sweepFor(all, 100_000);
    }
    all.peer.send(get(7));
    await expect.poll(() => all.requests.length).toBe(4);
    expect(all.connection.isIdle).toBe(false);
    sweepFor(all, 600_000);
    expect(all.peer.frames.some(({ type }) => type === FrameType.GOAWAY)).toBe(false);
    all.connection.destroy();
    await all.peer.closed();
  });

  test('drains by GOAWAY, once its last answer is out', async () => {
    const { peer, connection, requests } = peerOf(true);
    peer.send(opening(), get(1));
    await expect.poll(() => requests.length).toBe(1);
    connection.drain();
    const ping = await peer.awaited(FrameType.PING);
    peer.send(rawFrame(FrameType.PING, Flag.ACK, 0, ping.payload));
    expect((await peer.awaited(FrameType.GOAWAY)).payload.readUInt32BE(4)).toBe(ErrorCode.NO_ERROR);
    requests[0]?.answer();
    await peer.closed();
    expect(requests[0]?.outcomes).toEqual(['end']);
  });

  test('whose head is too large is refused in the words of HTTP/1.1, and counted', async () => {
    const body = Buffer.from('why');
    const refusal = (_: unknown, status: number) => ({ head: { status, fields: [], bodyBytes: 3 }, body });
    const { peer, offences } = peerOf(false, { http2: { headFieldsMax: 1 }, refusal });
    peer.send(opening(), post(1, ['a', 'b', 'c', 'd']));
    expect((await peer.awaited(FrameType.DATA, 1)).payload).toEqual(body);
    expect(offences).toEqual(['http/2 head-fields']);
    peer.send(headers(2, Buffer.alloc(0)));
    await expect.poll(() => offences).toEqual(['http/2 head-fields', 'http/2 HEADERS on a stream of even number']);
  });
});
