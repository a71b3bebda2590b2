// When one endpoint cannot take a call, another gets it; when it may have taken it, nobody else does.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, portOf, silentServer } from '../../kit/testing/ports.ts';
import { echo, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';

let mesh: Mesh;
let web: MeshSidecar;
let orders: MeshSidecar;
let seen = 0;

beforeAll(async () => {
  mesh = await startMesh();
  web = await mesh.start('web');
  orders = await mesh.start('orders', {
    handler: (request, response) => {
      seen++;
      echo(request, response);
    },
  });
});
afterAll(() => mesh.close());

const live = () => ({ host: '127.0.0.1', port: orders.sidecar.ports.peer });

test('a dead endpoint costs nothing but the attempt, body and all', async () => {
  mesh.point('orders', [{ host: '127.0.0.1', port: await freePort() }, live()]);
  const body = Buffer.alloc(60_000, 'abc');
  for (let i = 0; i < 4; i++) {
    const answer = await fetch(`${web.url}/v1.0/invoke/orders/method/x`, { method: 'POST', body });
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
  }
});

test('a large body that was held back while connecting is whole at the other endpoint', async () => {
  mesh.point('orders', [{ host: '127.0.0.1', port: await freePort() }, live()]);
  const body = Buffer.alloc(3_000_000, 'abcdefg');
  for (let i = 0; i < 2; i++) {
    const answer = await fetch(`${web.url}/v1.0/invoke/orders/method/x`, { method: 'POST', body });
    expect(answer.status).toBe(200);
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
  }
});

test('a large body waits with its caller until somebody takes it: no dead endpoint on the way costs it its turn', async () => {
  mesh.point('orders', [
    { host: '127.0.0.1', port: await freePort() },
    { host: '127.0.0.1', port: await freePort() },
    live(),
  ]);
  const body = Buffer.alloc(1_000_000, 'abc');
  for (let i = 0; i < 3; i++) {
    const answer = await fetch(`${web.url}/v1.0/invoke/orders/method/x`, { method: 'POST', body });
    expect(answer.status).toBe(200);
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
  }
});

test('when all are dead the caller hears of it once', async () => {
  mesh.point('orders', [
    { host: '127.0.0.1', port: await freePort() },
    { host: '127.0.0.1', port: await freePort() },
  ]);
  const answer = await fetch(`${web.url}/v1.0/invoke/orders/method/x`, { method: 'POST', body: 'x' });
  expect(answer.status).toBe(503);
  expect(answer.headers.get('invoke-fault')).toBe('peer-unreachable');
});

test('an endpoint whose app does not listen is passed over', async () => {
  const broken = await mesh.start('orders', { handler: echo });
  broken.app?.close();
  mesh.point('orders', [{ host: '127.0.0.1', port: broken.sidecar.ports.peer }, live()]);
  seen = 0;
  for (let i = 0; i < 4; i++) {
    const answer = await fetch(`${web.url}/v1.0/invoke/orders/method/x`, { method: 'POST', body: `${i}` });
    expect(await answer.text()).toBe(`${i}`);
  }
  expect(seen).toBe(4);
  await broken.stop();
});

test('a call that an app has seen is never sent to another', async () => {
  let hits = 0;
  const breaking = await mesh.start('orders', {
    handler: (request) => {
      hits++;
      request.socket.destroy();
    },
  });
  mesh.point('orders', [{ host: '127.0.0.1', port: breaking.sidecar.ports.peer }]);
  seen = 0;
  const answer = await fetch(`${web.url}/v1.0/invoke/orders/method/x`, { method: 'POST', body: 'once' });
  expect(answer.status).toBe(502);
  expect(answer.headers.get('invoke-fault')).toBe('app-broke');
  expect({ hits, seen }).toEqual({ hits: 1, seen: 0 });
  await breaking.stop();
});

test('both of two instances are used', async () => {
  const names = ['one', 'two'];
  const instances = await Promise.all(
    names.map((name) => mesh.start('pair', { handler: (_, response) => response.end(name) })),
  );
  const answers = new Set<string>();
  for (let i = 0; i < 4; i++) answers.add(await (await fetch(`${web.url}/v1.0/invoke/pair/method/x`)).text());
  expect([...answers].sort()).toEqual(names);
  for (const instance of instances) await instance.stop();
});

test('an endpoint that hangs up is passed over', async () => {
  const mute = await silentServer();
  mute.on('connection', (socket) => socket.destroy());
  mesh.point('orders', [{ host: '127.0.0.1', port: portOf(mute) }, live()]);
  for (let i = 0; i < 2; i++) {
    const answer = await fetch(`${web.url}/v1.0/invoke/orders/method/x`, { method: 'POST', body: 'x' });
    expect(answer.status).toBe(200);
  }
  mute.close();
});
