// Connections to the app, where this process itself is slow.
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { AppAgent } from './agent.ts';

const app = createServer((_request, response) => response.end('here'));
let agent: AppAgent;

beforeEach(async () => {
  agent = new AppAgent(systemClock);
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
});

afterEach(async () => {
  agent.destroy();
  app.close();
  await once(app, 'close');
});

/** As garbage collection or a busy machine does: timers that are due run before anything else is looked at. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('an app on 127.0.0.1 alone is reached also when this process stalls while it connects', async () => {
  const request = get({ agent, host: 'localhost', port: portOf(app) });
  const [socket] = await once(request, 'socket');
  expect(socket.connecting).toBe(true);
  stall(600);
  const [response] = await once(request, 'response');
  expect(response.statusCode).toBe(200);
  response.resume();
  await once(response, 'end');
});
