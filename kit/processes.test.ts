// Processes of this machine: alive, ended, or another one under the same number.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pid, platform } from 'node:process';
import { expect, test } from 'vitest';
import { isAlive, openProcesses } from './processes.ts';

test.runIf(platform === 'linux')('a process has one start time while it lives, and none after', async () => {
  const processes = openProcesses({ ownPid: pid, platform, exists: () => expect.fail('not asked on Linux') });
  // A name that could be mistaken for the fields after it.
  const child = spawn('sleep', ['60'], { argv0: 'x) Z 1 (' });
  await once(child, 'spawn');
  const childPid = child.pid ?? 0;
  const startTime = processes.startTime(childPid) ?? '';
  expect(startTime).toMatch(/^\d+$/);
  expect(isAlive(processes, childPid, startTime)).toBe(true);
  expect(isAlive(processes, childPid, `${startTime}1`)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(processes.startTime(childPid)).toBeUndefined();
});

test.each([
  ['the platform tells no start time', { ownPid: pid, platform: 'darwin' }],
  ['/proc shows not even this process', { ownPid: 0, platform: 'linux' }],
])('where %s, the number alone decides', (_says, options) => {
  const processes = openProcesses({ ...options, exists: (other) => other === 7 });
  expect(processes.startTime(7)).toBe('');
  expect(processes.startTime(8)).toBeUndefined();
});
