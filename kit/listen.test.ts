// A server that is bound: how many may come, and that nothing of it is left.
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from './listen.ts';
import { must } from './result.ts';

test('one address gets no more connections than it may have, and gets new ones as old ones close', async () => {
  const accepted: Socket[] = [];
  const server = net.createServer((socket) => accepted.push(socket.resume()));
  const limits = { connectionsMax: 10, connectionsPerAddressMax: 2 };
  const listener = must(await listen(server, { host: '127.0.0.1', port: 0 }, limits));
  const connect = async () => {
    const client = net.connect(listener.address?.port ?? 0, '127.0.0.1').resume();
    client.on('error', () => undefined);
    await Promise.all([once(client, 'connect'), once(server, 'connection')]);
    return client;
  };
  const first = await connect();
  await connect();
  const third = await connect();
  await once(third, 'close');
  expect(first.destroyed).toBe(false);
  const left = once(accepted[0] ?? server, 'close');
  first.destroy();
  await left;
  const fourth = await connect();
  fourth.write('x');
  await once(accepted[3] ?? server, 'data');
  await listener.close();
});
