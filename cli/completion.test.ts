// What shells are given to complete the commands with, tried in a real shell where there is one.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { ran } from './testing-commands.ts';

async function script(shell: string): Promise<string> {
  const { exitCode, stdout } = await ran(['completion', shell]);
  expect(exitCode).toBe(0);
  return stdout;
}

/** What bash offers after a line of words, the last of them unfinished. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const ask = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _invokectl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', `${await script('bash')}\n${ask}`], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

test('bash completes commands, and the flags of each', async () => {
  expect(await offered('invokectl', 's')).toEqual(['sidecar', 'stop', 'sentry']);
  expect(await offered('invokectl', 'run', '--app-p')).toEqual(['--app-port', '--app-protocol']);
  expect(await offered('invokectl', 'run', '--dapr-h')).toEqual(['']);
});

test.each(['bash', 'zsh', 'fish'])('what %s is given has every quote closed', async (shell) => {
  const quotes = (await script(shell)).replaceAll("'\\''", '').split("'").length - 1;
  expect(quotes % 2).toBe(0);
});
