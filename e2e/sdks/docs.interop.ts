// docs/sdks.md as a newcomer takes it: its programs are written down, its commands run, and what it shows comes back.
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { execPath, env as ownEnv } from 'node:process';
import { expect, test } from 'vitest';
import { type Cli, startProgram, throwawayFolder } from '../../cli/testing.ts';
import { freePort } from '../../kit/testing/ports.ts';
import { JS_SDK, PYTHON_SDK } from './installed.ts';
import { areMissing } from './programs.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/sdks.md'), 'utf8');

/** A program is named in the line before it. */
const programs = [...PAGE.matchAll(/^`([\w.]+)`:\n\n```\w+\n([\s\S]*?)^```$/gm)].map(([, name = '', text = '']) => ({
  name,
  text,
}));

const commands = [...PAGE.matchAll(/^```console\n\$ invokectl (.*)\n([\s\S]*?)^```$/gm)].map(
  ([, line = '', shown = '']) => ({ line, shown }),
);

test('the page has programs and commands, and each program is run', () => {
  expect(programs).toHaveLength(4);
  for (const { name } of programs) expect(commands.map(({ line }) => line).join('\n')).toContain(name);
});

test.skipIf(areMissing)('the programs do what the page shows', { timeout: 120_000 }, async () => {
  const folder = throwawayFolder('sdks-page');
  for (const { name, text } of programs) writeFileSync(join(folder, name), text);
  symlinkSync(join(JS_SDK.folder, 'node_modules'), join(folder, 'node_modules'));
  const env = {
    PATH: [join(ROOT, 'bin'), dirname(execPath), ownEnv.PATH].join(delimiter),
    INVOKE_HOME: join(folder, 'home'),
    PYTHONPATH: PYTHON_SDK.folder,
  };
  for (const { line, shown } of commands) {
    const port = /--app-port (\d+)/.exec(line)?.[1] ?? '';
    const command = port === '' ? line : line.replace(port, String(await freePort()));
    const running = startProgram('sh', ['-c', `cd ${folder} && exec invokectl ${command}`], env);
    if (shown === '') await running.printed(/the app listens/);
    else expect(await linesOf(running, shown)).toEqual(linesIn(shown));
  }
});

/** `…` is whatever the SDK itself logs. */
const linesIn = (shown: string) => shown.split('\n').filter((line) => line !== '' && line !== '…');

/** What was said of that which is shown. */
async function linesOf(running: Cli, shown: string): Promise<string[]> {
  await running.ended;
  const said = Buffer.from(running.stdout(), 'latin1').toString().split('\n');
  const found = said.filter((line) => linesIn(shown).includes(line));
  return found.length > 0 ? found : [...said, running.stderr()];
}
