// The ports that the kubelet and Prometheus ask: fixed pages by GET and HEAD, on connections that are kept.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { PageHttp } from './page-http.ts';

const PAGES = {
  '/fine': () => ({ status: 204 }),
  '/numbers': (query: URLSearchParams) => ({ status: 200, contentType: 'text/x', body: `${query.get('of')} 1\n` }),
};

async function open() {
  const clock = manualClock();
  const port = new PageHttp(PAGES, clock);
  const server = port.server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    port.destroy();
    server.close();
    await once(server, 'close');
  });
  const socket: Socket = connect(portOf(server), '127.0.0.1');
  // However the port ends it.
  const closed = new Promise((done) => socket.on('error', () => undefined).once('close', done));
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
  });
  /** Sends it, and waits for the answer that ends so. */
  const ask = async (request: string, end: string) => {
    text = '';
    socket.write(request);
    await expect.poll(() => text).toContain(end);
    return text;
  };
  return { clock, port, closed, ask };
}

const get = (target: string, method = 'GET') => `${method} ${target} HTTP/1.1\r\nhost: x\r\n\r\n`;

test('one connection is asked again and again', async () => {
  const { ask } = await open();
  expect(await ask(get('/fine'), '\r\n\r\n')).toMatch(/^HTTP\/1\.1 204 /);
  const numbers = await ask(get('/numbers?of=pages'), 'pages 1\n');
  expect(numbers).toMatch(/^HTTP\/1\.1 200 /);
  expect(numbers).toContain('content-type: text/x\r\n');
  const head = await ask(get('/numbers?of=pages', 'HEAD'), '\r\n\r\n');
  expect(head).toContain('content-length: 8\r\n');
  expect(head).not.toContain('pages 1');
  expect(await ask(get('/numbers/'), '/numbers\n')).toMatch(/^HTTP\/1\.1 404 /);
  const post = 'POST /fine HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello';
  const refused = await ask(post, 'only GET');
  expect(refused).toMatch(/^HTTP\/1\.1 405 /);
  expect(refused).toContain('allow: GET, HEAD\r\n');
  expect(await ask(get('/fine'), '\r\n\r\n')).toMatch(/^HTTP\/1\.1 204 /);
});

test('what is no request is refused, and ends its connection', async () => {
  const { ask, closed } = await open();
  expect(await ask('GET /fine HTTP/1.1\r\nno colon\r\n\r\n', '\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  await closed;
});

test('who asks nothing more is left, and then nothing waits', async () => {
  const { clock, ask, closed } = await open();
  await ask(get('/fine'), '\r\n\r\n');
  clock.advance(6000);
  await closed;
  const later = () => {
    clock.advance(1000);
    return clock.waiting();
  };
  await expect.poll(later).toEqual([]);
});

test('who keeps the rest of its request to itself is left, too: there are only so many connections', async () => {
  const { clock, ask, closed } = await open();
  await ask('POST /fine HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n', 'only GET');
  clock.advance(6000);
  await closed;
});

test('a port that drains closes what is idle at once', async () => {
  const { port, ask, closed } = await open();
  await ask(get('/fine'), '\r\n\r\n');
  port.drain();
  await closed;
});
