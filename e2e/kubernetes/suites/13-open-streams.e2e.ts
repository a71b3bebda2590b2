// Streams that are open while other replicas of the app that they lead to come and go: nothing happens to them.
import { beforeAll, describe, expect, test } from 'vitest';
import { aPod, namespace, pods, rolledOut } from '../apps.ts';
import { ensureInstalled } from '../installation.ts';
import { kubectl, until } from '../kubectl.ts';
import { closeStream, conversed, deployStreams, openStream, type Place, streamOf } from '../streams.ts';

const FRONT = 'e2e-open-front';
const SHOP = 'e2e-open-shop';

let web: Place;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(FRONT);
  await namespace(SHOP);
  await deployStreams('events', SHOP, 'http', 2);
  await deployStreams('orders', SHOP, 'grpc', 2);
  await deployStreams('web', FRONT, 'http');
  web = { namespace: FRONT, pod: (await aPod(FRONT, 'invoke.io/app-id=web')).metadata.name };
});

/** Replaces each replica of an app but this one. */
async function replaceOthers(app: string, kept: string): Promise<void> {
  const names = (await pods(SHOP, `invoke.io/app-id=${app}`)).map(({ metadata }) => metadata.name);
  expect(names).toContain(kept);
  const others = names.filter((name) => name !== kept);
  expect(others).toHaveLength(1);
  await kubectl('delete', 'pod', ...others, '-n', SHOP, '--timeout=120s');
  await rolledOut(SHOP, app);
}

describe('while the other replica is replaced', () => {
  test('server-sent events go on', async () => {
    await openStream(web, 'events', 'events', `events.${SHOP}`);
    const first = await until('an event', async () => (await streamOf(web, 'events')).heard[0]);
    const pod = /data: (\S+)/.exec(first)?.[1] ?? '';
    await replaceOthers('events', pod);
    const { count } = await streamOf(web, 'events');
    const after = await until('more events', async () => {
      const stream = await streamOf(web, 'events');
      return stream.ended !== undefined || stream.count > count + 20 ? stream : undefined;
    });
    expect(after.ended).toBeUndefined();
    expect(after.heard.every((event) => event.includes(pod))).toBe(true);
    await closeStream(web, 'events');
  });

  test('a gRPC conversation goes on', async () => {
    await openStream(web, 'talk', 'talk', `orders.${SHOP}`);
    const [pod = ''] = (await conversed(web, 'talk', 'before')).split(' ');
    await replaceOthers('orders', pod);
    expect(await conversed(web, 'talk', 'after')).toBe(`${pod} web.${FRONT} after`);
    expect((await streamOf(web, 'talk')).ended).toBeUndefined();
    await closeStream(web, 'talk');
    await until('its end', async () => (await streamOf(web, 'talk')).ended === '0 ');
  });
});
