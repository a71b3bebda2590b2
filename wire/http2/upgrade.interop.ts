// h2c by Upgrade (RFC 7540, 3.2), with the programs that still ask for it.
import { expect, test } from 'vitest';
import { echo, talk } from '../testing/h2c-server.ts';
import { outputOf, program } from '../testing/programs.ts';
import { upgradingServer } from '../testing/upgrading-server.ts';

const urlOf = ({ port }: { readonly port: number }) => `http://127.0.0.1:${port}/a?b`;

test('curl comes by Upgrade, and stays with HTTP/1.1 for a body', async ({ skip }) => {
  const curl = program('curl', skip);
  const server = await upgradingServer(echo);
  const args = ['-sS', '--http2', '-w', '|%{http_version} %{http_code} %header{x-target}', urlOf(server)];
  expect(await outputOf(curl, args)).toBe('|2 200 /a?b');
  await expect.poll(() => server.connections.size).toBe(0);
  expect(await outputOf(curl, ['-d', 'hello', ...args])).toBe('hello|1.1 200 /a?b');
  await server.close();
});

test('nghttp comes by Upgrade, and goes on with more streams', async ({ skip }) => {
  const nghttp = program('nghttp', skip);
  const server = await upgradingServer(talk);
  expect(await outputOf(nghttp, ['-u', '-m', '5', urlOf(server)])).toBe('Hello from the far side.'.repeat(5));
  await expect.poll(() => server.connections.size).toBe(0);
  await server.close();
});
