// The README, step by step as a newcomer takes it: its programs are started, its commands run, and what it says comes
// back has to come back. `…` in it stands for whatever is there.
//
// A block of `sh` is run; of a `console` block, each command whose output is shown; of a table, each row with a command.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execPath, kill, env as ownEnv } from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../kit/testing/ports.ts';

const ROOT = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'readme-'));
const headPath = join(folder, 'head');
const env = {
  PATH: [join(ROOT, 'bin'), dirname(execPath), ownEnv.PATH].join(delimiter),
  HOME: folder,
  INVOKE_HOME: join(folder, 'home'),
  CURL_HOME: folder,
};
const shells: ChildProcess[] = [];
let isOver = false;
/** The README's ports, to ones that are free here. */
const ports = new Map<string, string>();

type Step =
  | { readonly kind: 'block'; readonly script: string }
  | { readonly kind: 'shown'; readonly command: string; readonly output: string }
  | { readonly kind: 'row'; readonly what: string; readonly command: string; readonly status: string; body: string };

function stepsOf(readme: string): readonly Step[] {
  const parts = readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$|^\|(.*)\|$/gm);
  return [...parts].flatMap(([, language, text = '', row]): Step[] => {
    if (row !== undefined) return rowOf(row);
    return language === 'sh' ? [{ kind: 'block', script: text }] : shownIn(text);
  });
}

function rowOf(row: string): Step[] {
  const [what = '', command = '', status = '', body = ''] = row.split(' | ').map((cell) => cell.trim());
  if (!command.startsWith('`')) return [];
  return [{ kind: 'row', what, command: unquoted(command), status: unquoted(status), body: unquoted(body) }];
}

const unquoted = (cell: string) => cell.replaceAll('`', '');

function shownIn(block: string): Step[] {
  return block
    .split(/^\$ /m)
    .map((text) => ({ command: text.split('\n', 1).join(), output: text.slice(text.indexOf('\n') + 1) }))
    .filter(({ output }) => output !== '')
    .map((shown) => ({ kind: 'shown' as const, ...shown }));
}

function withPorts(command: string): string {
  return command.replace(/\b(3600|808[01])\b/g, (port) => ports.get(port) ?? port);
}

/** Its own process group, so that nothing of it can be left behind. */
function shell(script: string): Promise<void> {
  const child = spawn('sh', ['-c', withPorts(script)], { cwd: folder, env, stdio: 'ignore', detached: true });
  shells.push(child);
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

function run(command: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', withPorts(command)], { cwd: folder, env }, (_error, stdout) => {
      resolve(stdout.replaceAll('\r\n', '\n'));
    });
  });
}

async function untilListed(appId: string, isReady: boolean): Promise<void> {
  while (!isOver) {
    const text = await run('invokectl list -o json');
    const apps: readonly { appId: string; ready: boolean }[] = text === '' ? [] : JSON.parse(text);
    if (apps.some((app) => app.appId === appId && (app.ready || !isReady))) return;
  }
}

async function startBlock(script: string): Promise<void> {
  const ended = shell(script);
  // A program in the foreground stays; what else a block does is done when it ends.
  if (!/^invokectl run .*[^&]$/m.test(script.trim().split('\n').at(-1) ?? '')) await ended;
  for (const [, appId = ''] of script.matchAll(/--app-id (\S+)/g)) await untilListed(appId, appId !== 'sleepy');
}

/** The status and the fault of the last answer that curl got; `.curlrc` makes it write them down. */
function lastHead(): string {
  const head = readFileSync(headPath, 'latin1')
    .split(/^HTTP\//m)
    .at(-1);
  const fault = /^invoke-fault: (\S+)/m.exec(head ?? '')?.[1];
  return [/^\S+ (\d+)/.exec(head ?? '')?.[1], fault].filter((part) => part !== undefined).join(' ');
}

/** What follows the head, if `-i` printed one. The JSON of a fault is shown in the README by its message alone. */
function bodyOf(output: string): string {
  const body = output.split('\n\n').at(-1)?.trim() ?? '';
  return body.startsWith('{"errorCode"') ? JSON.parse(body).message : body;
}

function pattern(shown: string): RegExp {
  const parts = shown.trim().split('…');
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^]*')}$`);
}

const hasCurl = spawnSync('curl', ['--version']).status === 0;
const hasPython = spawnSync('python3', ['--version']).status === 0;
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const steps = stepsOf(readme);

beforeAll(async () => {
  writeFileSync(join(folder, '.curlrc'), `dump-header = "${headPath}"\n`);
  ports.set('3600', String(await freePort()));
  ports.set('8080', String(await freePort()));
  // Nobody is given this one by chance.
  ports.set('8081', '1');
});

afterAll(async () => {
  isOver = true;
  await run('invokectl stop --all');
  for (const { pid } of shells) endGroup(pid);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

test('the README has programs to start, and commands to try in both of its tables', () => {
  const rows = steps.filter((step) => step.kind === 'row');
  expect(steps.filter(({ kind }) => kind === 'block').length).toBeGreaterThan(1);
  expect(rows.filter(({ status }) => !status.includes(' ')).length).toBeGreaterThan(5);
  expect(rows.filter(({ status }) => status.includes(' ')).length).toBeGreaterThan(5);
});

describe.skipIf(!hasCurl)('with curl', () => {
  for (const step of steps) {
    if (step.kind === 'block') {
      test('the programs of a block start', () => startBlock(step.script));
    } else if (step.kind === 'shown') {
      test(`what is shown for: ${step.command}`, async () => {
        expect((await run(step.command)).trim()).toMatch(pattern(step.output));
      });
    } else {
      test(step.what, async () => {
        const output = await run(step.command);
        expect(lastHead(), output).toBe(step.status);
        expect(bodyOf(output)).toMatch(pattern(step.body));
      });
    }
  }

  test.skipIf(!hasPython)('any program that speaks HTTP can be called', async () => {
    const command = /`(invokectl run [^`]*http\.server[^`]*)`/.exec(readme)?.[1] ?? '';
    const port = String(await freePort());
    void shell(command.replaceAll('\n', ' ').replaceAll('8000', port));
    await untilListed('files', true);
    expect(await run('invokectl call files shop.mjs')).toBe(readFileSync(join(folder, 'shop.mjs'), 'utf8'));
  });
});
