// gRPC between namespaces: native calls, and both halves of what Dapr's SDKs do, InvokeService and OnInvoke.
import { beforeAll, expect, test } from 'vitest';
import { aPod, namespace } from '../apps.ts';
import { ensureInstalled } from '../installation.ts';
import { until } from '../kubectl.ts';
import {
  closeStream,
  conversed,
  deployStreams,
  grpcCall,
  invokeService,
  openStream,
  type Place,
  post,
  streamOf,
} from '../streams.ts';

const FRONT = 'e2e-grpc-front';
const SHOP = 'e2e-grpc-shop';
const CALLER = `web.${FRONT}`;

let web: Place;
let orders: string;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(FRONT);
  await namespace(SHOP);
  await deployStreams('orders', SHOP, 'grpc');
  await deployStreams('stock', SHOP, 'http');
  await deployStreams('web', FRONT, 'http');
  web = { namespace: FRONT, pod: (await aPod(FRONT, 'invoke.io/app-id=web')).metadata.name };
  orders = (await aPod(SHOP, 'invoke.io/app-id=orders')).metadata.name;
});

test('a native call arrives, with the name and namespace of its caller', async () => {
  expect(await grpcCall(web, `orders.${SHOP}`, 'hello')).toEqual({
    ...{ status: '0', message: '', answer: `${orders} ${CALLER} hello` },
  });
});

test('a conversation goes on for as long as both want', async () => {
  await openStream(web, 'talk', 'talk', `orders.${SHOP}`);
  for (const text of ['one', 'two', 'three'])
    expect(await conversed(web, 'talk', text)).toBe(`${orders} ${CALLER} ${text}`);
  await closeStream(web, 'talk');
  await until('its end', async () => (await streamOf(web, 'talk')).ended === '0 ');
});

test('a program that speaks gRPC to its sidecar calls an app that speaks gRPC: InvokeService, OnInvoke', async () => {
  expect(await invokeService(web, `orders.${SHOP}`, 'greet/me', 'hello')).toEqual({
    ...{ status: '0', message: '', answer: `${orders} ${CALLER} greet/me` },
  });
});

test('a program that speaks gRPC to its sidecar calls an app that speaks HTTP', async () => {
  const stock = (await aPod(SHOP, 'invoke.io/app-id=stock')).metadata.name;
  expect(await invokeService(web, `stock.${SHOP}`, 'greet', 'hello')).toEqual({
    status: '0',
    message: '',
    answer: stock,
  });
});

test('a program that speaks HTTP calls an app that speaks gRPC', async () => {
  expect(await post(web, `orders.${SHOP}`, 'greet/me', 'hello')).toEqual({
    ...{ status: '200', message: '', answer: `${orders} ${CALLER} greet/me` },
  });
});

test('a native call to an app that nobody claims is refused in words', async () => {
  const { status, message } = await grpcCall(web, `nobody.${SHOP}`, 'hello');
  expect(status).toBe('5');
  expect(decodeURIComponent(message)).toContain('nobody');
});
