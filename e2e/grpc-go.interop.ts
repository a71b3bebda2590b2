// An app and clients on grpc-go, through two sidecars that `invokectl run` and `invokectl sidecar` started.
import { join } from 'node:path';
import { kill } from 'node:process';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Cli, startProgram } from '../cli/testing.ts';
import { buildGoProgram, GO_BUILD_LIMIT_MS, type GoProgram, NO_GO } from '../wire/testing/programs.ts';
import { endOfGroup, type Machine, machine, type Program } from './machine.ts';

const MIB = 2 ** 20;

const atEnd = endOfGroup();
let go: GoProgram | undefined;
let laptop: Machine;
let web: Program;
let shop: Program;
beforeAll(async () => {
  go = await buildGoProgram(join(import.meta.dirname, 'grpc-go'));
  if (go === undefined) return;
  laptop = machine(atEnd);
  [web, shop] = await Promise.all([laptop.sidecar('web', ['--grpc-port', '0']), startShop(go)]);
}, GO_BUILD_LIMIT_MS);
afterAll(() => go?.remove());
beforeEach(({ skip }) => skip(go === undefined, NO_GO));

function startShop({ path }: GoProgram): Promise<Program> {
  return laptop.runCommand('shop', [path, 'serve'], ['--app-protocol', 'grpc', '--grpc-port', '0']);
}

/** A client of `web` that does this. */
const client = (...args: readonly string[]) =>
  startProgram(go?.path ?? '', args, { DAPR_GRPC_PORT: String(web.grpcPort) });
const said = (...args: readonly string[]) => linesOf(client(...args));

async function linesOf(client: Cli): Promise<string[]> {
  const code = await client.ended;
  if (code !== 0) throw new Error(`the client ended with ${code}: ${client.stdout()}${client.stderr()}`);
  return Buffer.from(client.stdout(), 'latin1').toString().trimEnd().split('\n');
}

test('a call passes, with metadata both ways and the name of its caller', async () => {
  expect(await said('unary', 'x-sent', 'by me', 'dapr-caller-app-id', 'somebody-else')).toEqual([
    ...['OK ', 'echoed true sent [by me] stream [] caller [web] sum [7]'],
  ]);
});

test.for(['true', '1', 'nonsense'])('dapr-stream: %s changes nothing', async (value) => {
  const [status, echoed] = await said('unary', 'dapr-stream', value);
  expect([status, echoed]).toEqual(['OK ', expect.stringMatching(/^echoed true .* caller \[web\] sum \[7\]$/)]);
});

test('what an error says in detail reaches the caller whole', async () => {
  expect(await said('details')).toEqual([
    ...['FailedPrecondition no such order: größer', 'info NO_ORDER shop.example map[order:7]'],
    'violation count größer als null',
  ]);
});

test('a message as large as the limit passes, and a larger one is refused with words', async () => {
  // The client itself takes no larger answer than 4 MiB.
  expect((await said('large', String(4 * MIB)))[0]).toBe('OK ');
  const [status] = await said('large', String(4 * MIB + 1));
  expect(status).toMatch(/^ResourceExhausted .*--max-body-size/);
});

test('a thousand conversations at a time', async () => {
  expect(await said('many', '1000')).toEqual(['good 1000']);
});

test('an app hears that a caller has given up', async ({ annotate }) => {
  const caller = client('cancel');
  const at = async (program: Cli, what: string) => Number((await program.printed(new RegExp(`${what} at (\\d+)`)))[1]);
  const [cancelled, heard] = await Promise.all([at(caller, 'cancelled'), at(shop.cli, 'given up')]);
  expect((await linesOf(caller)).at(-1)).toBe('Canceled');
  await annotate(`heard after ${((heard - cancelled) / 1000).toFixed(1)} ms`);
});

test('a stream stays untouched while the other instance is replaced', async () => {
  const program = go ?? expect.unreachable();
  const instances = new Map<string, Program>();
  const know = async (instance: Program) =>
    instances.set((await instance.cli.printed(/serving as (\d+)/))[1] ?? '', instance);
  await know(shop);
  await know(await startShop(program));

  const talk = client('converse');
  const [, pid = ''] = await talk.printed(/pid (\d+)/);
  talk.child.stdin.write('before\n');
  await talk.printed(/heard before\n/);
  for (const [otherPid, other] of instances) {
    if (otherPid === pid) continue;
    kill(other.sidecarPid, 'SIGTERM');
    talk.child.stdin.write('during\n');
    await talk.printed(/heard during\n/);
    await other.cli.ended;
  }
  await startShop(program);
  expect((await said('unary'))[0]).toBe('OK ');
  talk.child.stdin.end('after\n');
  await talk.ended;
  expect(talk.stdout()).toBe(`pid ${pid}\nheard before\nheard during\nheard after\nend true [7]\n`);
});
