// What the metrics port tells about calls.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { echo, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { exchangeRaw } from './testing.ts';

let mesh: Mesh;
let web: MeshSidecar;
let orders: MeshSidecar;

beforeAll(async () => {
  mesh = await startMesh();
  web = await mesh.start('web');
  orders = await mesh.start('orders', { handler: echo, namespace: 'shop' });
});
afterAll(() => mesh.close());

async function scrape({ sidecar }: MeshSidecar): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${sidecar.ports.metrics}/metrics`);
  expect(answer.headers.get('content-type')).toContain('version=0.0.4');
  return (await answer.text()).split('\n');
}

test('both sides count a call: status, bytes each way, latency; and nothing is in flight after it', async () => {
  const answer = await fetch(`${web.url}/v1.0/invoke/orders.shop/method/x`, { method: 'POST', body: 'twelve bytes' });
  await answer.text();
  for (const [sidecar, direction, peer] of [
    [web, 'outbound', 'orders.shop'],
    [orders, 'inbound', 'web.default'],
  ] as const) {
    const lines = await scrape(sidecar);
    expect(lines).toContain(`invoke_requests_total{direction="${direction}",peer="${peer}",status="200",fault=""} 1`);
    expect(lines).toContain(`invoke_request_body_bytes_total{direction="${direction}",peer="${peer}"} 12`);
    expect(lines).toContain(`invoke_response_body_bytes_total{direction="${direction}",peer="${peer}"} 12`);
    expect(lines).toContain(`invoke_request_duration_seconds_count{direction="${direction}",peer="${peer}"} 1`);
    expect(lines).toContain(`invoke_requests_in_flight{direction="${direction}"} 0`);
  }
});

test('a call that fails is counted with its fault and the status that its caller saw; names that nobody has, as one', async () => {
  for (const name of ['nobody', 'nobody-else']) await fetch(`${web.url}/v1.0/invoke/${name}/method/x`);
  expect(await scrape(web)).toContain(
    'invoke_requests_total{direction="outbound",peer="unknown",status="404",fault="unknown-app"} 2',
  );
});

test('what is no HTTP is counted by the rule that it broke', async () => {
  for (const bytes of ['garbage\r\n\r\n', 'EHLO there\r\n', 'GET / HTTP/1.1\r\n\r\n']) {
    await exchangeRaw(web.sidecar.ports.http, bytes);
  }
  const lines = await scrape(web);
  expect(lines).toContain('invoke_http_offences_total{offence="method"} 1');
  expect(lines).toContain('invoke_http_offences_total{offence="target"} 1');
  expect(lines).toContain('invoke_http_offences_total{offence="host-missing"} 1');
});

test('the end of the certificate can be watched', async () => {
  const line = (await scrape(web)).find((text) => text.startsWith('invoke_certificate_expiry_timestamp_seconds '));
  expect(Number(line?.split(' ')[1])).toBeGreaterThan(Date.now() / 1000);
});

test('there is nothing else on that port', async () => {
  const base = `http://127.0.0.1:${web.sidecar.ports.metrics}`;
  expect((await fetch(`${base}/v1.0/metadata`)).status).toBe(404);
  expect((await fetch(`${base}/metrics`, { method: 'POST' })).status).toBe(405);
  expect((await fetch(`${base}/__proto__`)).status).toBe(404);
});
