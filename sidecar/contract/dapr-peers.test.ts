// Peers that are not ours: gRPC's own implementation with another protobuf, saying what a Dapr sidecar says.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DaprCaller, daprSidecar, type Message } from '../testing/dapr-sidecar.ts';
import { echo, type Mesh, startMesh } from '../testing/mesh.ts';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.close());

const REQUEST = {
  ver: 1,
  metadata: { 'x-from': { values: ['dapr'] }, 'dapr-caller-app-id': { values: ['somebody-else'] } },
  message: { method: 'items/7', content_type: 'text/plain', http_extension: { verb: 3, querystring: 'a=1' } },
};

test('a gRPC client calls an app behind our sidecar, by either method', async () => {
  const orders = await mesh.start('orders', { handler: echo });
  const client = new DaprCaller(mesh, orders);

  const message = { ...REQUEST.message, data: { value: Buffer.from('whole') } };
  const unary = await client.unary({ ...REQUEST, message });
  expect(unary).toMatchObject({
    status: { code: 200 },
    message: { content_type: 'text/plain', data: { value: Buffer.from('whole') } },
    headers: { 'x-url': { values: ['/items/7?a=1'] } },
  });

  const replies = await client.stream([
    { request: REQUEST, payload: { data: Buffer.from('one '), seq: 0 } },
    { payload: { data: Buffer.from('two'), seq: 1 } },
  ]);
  expect(replies[0]?.response).toMatchObject({ status: { code: 200 } });
  expect(Buffer.concat(replies.flatMap((reply) => reply.payload?.data ?? [])).toString()).toBe('one two');
  client.close();
});

test('a gRPC client that calls what is not there gets a status that says so', async () => {
  const silent = await mesh.start('silent', { handler: echo });
  silent.app?.close();
  const client = new DaprCaller(mesh, silent);
  const failure = await client.unary(REQUEST).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 14, details: expect.stringContaining('does not listen') });
  client.close();
});

test('a sidecar that knows no streams is called in one message, from the first call on', async () => {
  const asked: Message[] = [];
  const close = await daprSidecar(mesh, 'legacy', {
    unary: (call, done) => {
      asked.push(call.request);
      done(null, {
        status: { code: 201 },
        headers: { 'x-answer': { values: ['42'] } },
        message: { content_type: 'text/plain', data: { value: Buffer.from('old but here') } },
      });
    },
  });
  const web = await mesh.start('web');
  for (const body of ['first', 'second']) {
    const answer = await fetch(`${web.url}/v1.0/invoke/legacy/method/a%20b?q=1`, { method: 'PUT', body });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-answer')).toBe('42');
    expect(await answer.text()).toBe('old but here');
  }
  expect(asked).toHaveLength(2);
  expect(asked[1]).toMatchObject({
    ver: 'V1',
    metadata: { 'dapr-caller-app-id': { values: ['web'] }, 'dapr-callee-app-id': { values: ['legacy'] } },
    message: {
      method: 'a%20b',
      data: { value: Buffer.from('second') },
      http_extension: { verb: 'PUT', querystring: 'q=1' },
    },
  });
  close();
});

test('the status of a sidecar that names no fault is the fault that it means', async () => {
  const close = await daprSidecar(mesh, 'strict', { unary: (_, done) => done({ code: 7, details: 'access denied' }) });
  const web = await mesh.start('web');
  const answer = await fetch(`${web.url}/v1.0/invoke/strict/method/x`);
  expect(answer.status).toBe(403);
  expect(answer.headers.get('invoke-fault')).toBe('denied');
  expect(await answer.text()).toContain('access denied');
  close();
});

test('a sidecar that says OK and nothing else has not answered', async () => {
  const close = await daprSidecar(mesh, 'mute', { stream: (call) => call.end() });
  const web = await mesh.start('web');
  const answer = await fetch(`${web.url}/v1.0/invoke/mute/method/x`);
  expect(answer.status).toBe(502);
  expect(answer.headers.get('invoke-fault')).toBe('peer-broke');
  close();
});
