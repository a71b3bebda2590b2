// A few fixed pages, over a real socket.
import { afterEach, expect, test } from 'vitest';
import type { Listener } from './listen.ts';
import { listenForPages } from './page-server.ts';
import type { Pages } from './pages.ts';
import { must } from './result.ts';

let listener: Listener | undefined;
afterEach(() => listener?.close());

async function open(pages: Pages): Promise<string> {
  listener = must(await listenForPages(0, pages));
  return `http://127.0.0.1:${listener.address?.port}`;
}

test('a page is made anew for each request, whatever the query', async () => {
  let count = 0;
  const origin = await open({ '/metrics': () => ({ status: 200, contentType: 'text/x', body: `${++count} äöü\n` }) });
  await fetch(`${origin}/metrics`);
  const answer = await fetch(`${origin}/metrics?x=1`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/x');
  expect(await answer.text()).toBe('2 äöü\n');
});

test('a page says its own status', async () => {
  const origin = await open({ '/readyz': () => ({ status: 503, body: 'not yet\n' }) });
  const answer = await fetch(`${origin}/readyz`);
  expect(answer.status).toBe(503);
  expect(await answer.text()).toBe('not yet\n');
});

test('nothing else is served', async () => {
  const origin = await open({ '/metrics': () => ({ status: 200, body: '' }) });
  expect((await fetch(`${origin}/other`)).status).toBe(404);
  expect((await fetch(`${origin}/constructor`)).status).toBe(404);
  const post = await fetch(`${origin}/metrics`, { method: 'POST', body: 'x' });
  expect(post.status).toBe(405);
  expect(post.headers.get('allow')).toBe('GET, HEAD');
});

test('a port that is taken is said to be', async () => {
  const origin = await open({});
  const second = await listenForPages(Number(new URL(origin).port), {});
  expect(second.ok ? '' : second.error).toMatch(/^cannot listen on .*EADDRINUSE/);
});
