// Streams that stay open while other things happen: connections are swept, an instance of the called app restarts, calls fail.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { openStaticList } from '../resolve/static-list.ts';
import { identityOf, type MeshSidecar } from '../testing/mesh.ts';
import { expectFault, headerOf, type Pair, pairForAll, RawClient, send, to } from './testing.ts';
import { Http2Caller, received, sendHttp2 } from './testing-http2.ts';

let pair: Pair;
pairForAll((started) => {
  pair = started;
});

interface OpenStream {
  /** What has come of it, once it matches. */
  until(pattern: RegExp): Promise<string>;
  close(): void | Promise<void>;
}

async function overHttp1(port: number, path: string): Promise<OpenStream> {
  const client = await RawClient.connect(port);
  client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
  return { until: (pattern) => client.until(pattern), close: () => void client.socket.destroy() };
}

async function overHttp2(port: number, path: string): Promise<OpenStream> {
  const caller = await Http2Caller.connect(port);
  const stream = caller.open({ path, headers: ['accept', 'text/event-stream'] });
  stream.end();
  return { until: (pattern) => received(stream, pattern), close: () => caller.close() };
}

const PROTOCOLS = [
  ['HTTP/1.1', overHttp1, send],
  ['HTTP/2', overHttp2, sendHttp2],
] as const;

/** Opens a stream of events at the app, whose other answers are short ones. */
function eventsOf(of: Pair): Promise<ServerResponse> {
  return new Promise((called) => {
    of.app.handler = (request, response) => {
      if (request.url !== '/events') {
        response.end('short');
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      called(response);
    };
  });
}

const statusOf = ({ status }: { readonly status: number }) => status;

test.each(PROTOCOLS)('a stream of %s outlives the sweep that closes what is idle', async (_protocol, open) => {
  const clock = manualClock();
  const waiting = await pair.mesh.start('waiting', { clock });
  const { http } = waiting.sidecar.ports;
  const idle = [await RawClient.connect(http), await RawClient.connect(http)];
  const idleHttp2 = await Http2Caller.connect(http);
  const left = once(idleHttp2.session, 'close');
  const opened = eventsOf(pair);
  const stream = await open(http, to('callee', '/events'));
  const response = await opened;
  for (let seconds = 0; seconds < 140; seconds++) {
    clock.advance(1000);
    // What the peer answers to its pings has come, too, when this has.
    if (seconds % 5 === 0) expect((await send(http, { path: to('callee') })).status).toBe(200);
  }
  await Promise.all([...idle.map(({ ended }) => ended), left]);
  response.write('data: still here\n\n');
  await stream.until(/still here/);
  const closed = once(response, 'close');
  await stream.close();
  await closed;
  for (const { socket } of idle) socket.destroy();
  await waiting.stop();
});

test.each(PROTOCOLS)('a stream of %s is not touched by the restart of another instance', async (_protocol, open) => {
  const { mesh } = pair;
  const ports = [await freePort(), await freePort()];
  const instance = (port: number) =>
    mesh.start('twin', { handler: pair.app.listener, config: { peerPort: { port, isFlexible: false } } });
  const twins = await Promise.all(ports.map(instance));
  const addresses = ports.map((port) => ({ host: '127.0.0.1', port }));
  const { trustDomain: _, ...target } = identityOf('twin');
  const caller = await mesh.start('caller-of-twins', { names: openStaticList([{ target, addresses }]) });
  const { http } = caller.sidecar.ports;
  const calls = async () => (await Promise.all([1, 2, 3, 4].map(() => send(http, { path: to('twin') })))).map(statusOf);

  const opened = eventsOf(pair);
  const stream = await open(http, to('twin', '/events'));
  const response = await opened;
  const isServing = ({ app }: MeshSidecar) => app !== undefined && portOf(app) === response.socket?.localPort;
  const other = twins.findIndex((twin) => !isServing(twin));
  for (const restarts of [1, 2]) {
    expect(await calls()).toEqual([200, 200, 200, 200]);
    expect(await twins[other]?.stop()).toBe(0);
    response.write(`data: ${restarts}, stopped\n\n`);
    await stream.until(new RegExp(`data: ${restarts}, stopped\n\n`));
    expect(await calls()).toEqual([200, 200, 200, 200]);
    twins[other] = await instance(ports[other] ?? 0);
    response.write(`data: ${restarts}, back\n\n`);
    await stream.until(new RegExp(`data: ${restarts}, back\n\n`));
  }
  const closed = once(response, 'close');
  await stream.close();
  await closed;
  await Promise.all([...twins, caller].map((part) => part.stop()));
});

test.each(PROTOCOLS)(
  'who asks for events over %s and is refused gets JSON that says why',
  async (_protocol, _open, ask) => {
    const answer = await ask(pair.port, { path: to('nobody', '/events'), headers: ['accept', 'text/event-stream'] });
    expectFault(answer, 'unknown-app');
    expect(answer.isWhole).toBe(true);
  },
);

test.each(PROTOCOLS)(
  "who asks for events over %s and gets the app's error gets all of it",
  async (_protocol, _open, ask) => {
    const error = JSON.stringify({ error: 'the app has no events' });
    pair.app.handler = (_request, response) =>
      response.writeHead(500, { 'content-type': 'application/json' }).end(error);
    const answer = await ask(pair.port, { path: to('callee', '/events'), headers: ['accept', 'text/event-stream'] });
    expect(answer).toMatchObject({ status: 500, isWhole: true, body: Buffer.from(error) });
    expect(headerOf(answer, 'content-type')).toBe('application/json');
    expect(headerOf(answer, 'invoke-fault')).toBeUndefined();
  },
);
