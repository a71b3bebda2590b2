// WebSocket between namespaces: the same names, certificates and sidecars as any other call.
import { beforeAll, expect, test } from 'vitest';
import { aPod, namespace } from '../apps.ts';
import { ensureInstalled } from '../installation.ts';
import { until } from '../kubectl.ts';
import { closeStream, conversed, deployStreams, openStream, type Place, streamOf } from '../streams.ts';

const FRONT = 'e2e-ws-front';
const SHOP = 'e2e-ws-shop';

let web: Place;
let chat: string;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(FRONT);
  await namespace(SHOP);
  await deployStreams('chat', SHOP, 'http');
  await deployStreams('web', FRONT, 'http');
  web = { namespace: FRONT, pod: (await aPod(FRONT, 'invoke.io/app-id=web')).metadata.name };
  chat = (await aPod(SHOP, 'invoke.io/app-id=chat')).metadata.name;
});

test('what is said comes back, from an app that knows who speaks, until the caller closes', async () => {
  await openStream(web, 'chat', 'socket', `chat.${SHOP}`);
  for (const text of ['one', 'two', 'three'])
    expect(await conversed(web, 'chat', text)).toBe(`${chat} web.${FRONT} ${text}`);
  await closeStream(web, 'chat');
  await until('its end', async () => (await streamOf(web, 'chat')).ended !== undefined);
});

test('a name that nobody claims opens no socket', async () => {
  await openStream(web, 'nobody', 'socket', `nobody.${SHOP}`);
  expect((await streamOf(web, 'nobody')).ended).toBeDefined();
});
