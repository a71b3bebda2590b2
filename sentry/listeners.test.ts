// Taking over a socket's name, where several want it at once.
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../kit/clock.ts';
import { processes } from '../kit/testing/processes.ts';
import { listenOnSocket } from './listeners.ts';

const tools = { clock: systemClock, processes };

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'invoke-listen-'));
  path = join(directory, 'sentry.sock');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A socket file that nobody serves: its listener closes while the file has another name. */
async function leaveBehind(): Promise<void> {
  const server = net.createServer();
  await once(server.listen(path), 'listening');
  renameSync(path, `${path}.aside`);
  await new Promise((done) => server.close(done));
  renameSync(`${path}.aside`, path);
}

test('of many who find a leftover, one replaces it, and it is that one who is reached', async () => {
  await leaveBehind();
  const reached: number[] = [];
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      listenOnSocket(path, tools, (connection) => {
        // The others look whether somebody serves, and hang up.
        reached.push(index);
        connection.destroy();
      }),
    ),
  );
  const winners = outcomes.flatMap((outcome, index) => (outcome.ok ? [{ index, listener: outcome.value }] : []));
  expect(winners).toHaveLength(1);
  expect(outcomes.filter((outcome) => !outcome.ok && outcome.error.kind === 'already-served')).toHaveLength(7);
  await once(net.connect(path).resume(), 'close');
  expect(reached.at(-1)).toBe(winners[0]?.index);
  for (const { listener } of winners) await listener.close();
  expect(readdirSync(directory)).toEqual([]);
});

test('a folder that others may enter is refused: for a moment the socket would be theirs too', async () => {
  chmodSync(directory, 0o711);
  const outcome = await listenOnSocket(path, tools, (connection) => connection.destroy());
  expect(outcome).toMatchObject({
    ok: false,
    error: { kind: 'failed', message: expect.stringContaining(`chmod 700 ${directory}`) },
  });
});
