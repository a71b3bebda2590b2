// The last resort of the app API: a bug that a request finds must not take the sidecar down with it.
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { identityOf } from '../testing/mesh.ts';
import { AppHttp, type AppHttpDeps } from './app-http.ts';

const DEPS: AppHttpDeps = {
  open: () => {
    throw new Error('a bug');
  },
  self: identityOf('web'),
  bodyBytesMax: 1024,
  statuses: 'honest',
  clock: systemClock,
  random: () => 0.5,
  log: silentLog,
  countOffence: () => undefined,
  rules: { apiToken: undefined, allowedOrigins: [], allowedHosts: [] },
  routes: [{ method: 'GET', path: '/v1.0/healthz', isOpenToAll: true, answer: () => ({ status: 204 }) }],
};

test('is 500 for its caller, a line in the log, and nothing to anybody else', async () => {
  const logged: string[] = [];
  const log = { ...silentLog, error: (message: string) => void logged.push(message) };
  const app = new AppHttp({ ...DEPS, log });
  const server = app.server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${portOf(server)}`;
  const answer = await fetch(`${url}/v1.0/invoke/orders/method/x`, { method: 'POST', body: 'x' });
  expect(answer.status).toBe(500);
  expect(answer.headers.get('invoke-fault')).toBe('internal');
  expect(await answer.text()).not.toContain('a bug"');
  expect(logged).toEqual(['a bug in the app API']);
  expect((await fetch(`${url}/v1.0/healthz`)).status).toBe(204);
  server.close();
  app.destroy();
});
