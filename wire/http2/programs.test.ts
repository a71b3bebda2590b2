// Other programs that speak HTTP/2, where they are installed.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { type H2cServer, h2cServer, talk } from '../testing/h2c-server.ts';

const run = promisify(execFile);
const open: { server?: H2cServer } = {};
afterEach(async () => {
  await open.server?.close();
});

const PATHS = [...(env.PATH ?? '').split(':'), join(homedir(), 'go', 'bin')];
const find = (program: string) => PATHS.map((path) => join(path, program)).find((path) => existsSync(path));
const urlOf = ({ port }: H2cServer) => `http://127.0.0.1:${port}/a?b`;
const curl = find('curl');
/** `go install github.com/summerwind/h2spec/cmd/h2spec@latest` makes it; H2SPEC may say where it is. */
const h2spec = env.H2SPEC ?? find('h2spec');

// A run for each call: curl 7.88 fails when it uses a connection of prior knowledge again, with any server.
test.skipIf(curl === undefined).each(['hello', 'a'.repeat(1_000_000)])('curl gets back what it posts', async (body) => {
  open.server = await h2cServer();
  const child = run(
    curl ?? 'curl',
    [
      '-sS',
      '--http2-prior-knowledge',
      '-w',
      '|%{http_version} %{http_code}',
      '--data-binary',
      '@-',
      urlOf(open.server),
    ],
    { maxBuffer: 2_000_000 },
  );
  child.child.stdin?.end(body);
  const { stdout } = await child;
  expect(stdout === `${body}|2 200`).toBe(true);
});

test.skipIf(h2spec === undefined)(
  'every case of h2spec passes',
  async () => {
    open.server = await h2cServer(talk);
    const { stdout } = await run(h2spec ?? 'h2spec', ['-h', '127.0.0.1', '-p', String(open.server.port), '-o', '5']);
    expect(stdout).toMatch(/145 tests, 145 passed, 0 skipped, 0 failed/);
  },
  120_000,
);
