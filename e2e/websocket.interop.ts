// WebSocket between programs on a library of others, through two sidecars that `invokectl` started.
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { startProgram } from '../cli/testing.ts';
import { findProgram } from '../wire/testing/programs.ts';
import { endOfGroup, machine, type Program } from './machine.ts';
import { isInstalled, WEBSOCKETS } from './sdks/installed.ts';

const here = (file: string) => join(import.meta.dirname, 'websocket', file);
const python = findProgram('python3') ?? 'python3';
const paths = { PYTHONPATH: WEBSOCKETS.folder };
const isMissing = !isInstalled(WEBSOCKETS);

const atEnd = endOfGroup();
let web: Program;
let chat: Program;
beforeAll(async () => {
  if (isMissing) return;
  const laptop = machine(atEnd);
  [web, chat] = await Promise.all([
    laptop.sidecar('web'),
    laptop.runCommand('chat', [python, here('app.py')], [], paths),
  ]);
});
beforeEach(({ skip }) => skip(isMissing, `${WEBSOCKETS.name} is not installed`));

/** What the client says that did this. */
async function said(...args: readonly string[]): Promise<string> {
  const client = startProgram(python, [here('client.py'), ...args], { DAPR_HTTP_PORT: String(web.httpPort), ...paths });
  const code = await client.ended;
  if (code !== 0) throw new Error(`the client ended with ${code}: ${client.stdout()}${client.stderr()}`);
  return client.stdout().trim();
}

test('ten thousand messages, text and binary, come back as they were, and the close of the client arrives', async () => {
  expect(await said('echo', '10000')).toBe('echoed 10000');
  await chat.cli.printed(/closed 1000 that was all/);
});

test('the close of the app arrives', async () => {
  expect(await said('close')).toBe('closed 4001 as you wish');
});

test('a connection on which nobody says anything for a minute is there afterwards', { timeout: 180_000 }, async () => {
  expect(await said('idle', '60')).toBe('before after');
});
