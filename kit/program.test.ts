// The shell of a program: what it logs, when it hears that it is to stop, and with what it ends.
import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { EXIT, type OwnProcess, type Program, runProgram } from './program.ts';

/** A process that only notes with what it ended. */
function start(run: (program: Program) => Promise<number>) {
  const stdout = new PassThrough();
  const { getBuiltinModule } = process;
  const exit = (code: number) => own.emit('ended', code);
  const own = Object.assign(new EventEmitter(), { stdout, exit, getBuiltinModule });
  const ended = once(own, 'ended').then(([code]: unknown[]) => code);
  runProgram('mill', own as object as OwnProcess, run);
  const lines = () =>
    String(stdout.read() ?? '')
      .trim()
      .split('\n');
  return { own, ended, lines };
}

test('it ends with the code that its work came to, and its log is on the output', async () => {
  const { ended, lines } = start(async ({ log, logAs, openLog }) => {
    log.debug('left out');
    log.info('first');
    logAs({ level: 'error', format: 'json' }).warn('left out');
    openLog({ level: 'info', format: 'text' }).info('beside it');
    return 7;
  });
  expect(await ended).toBe(7);
  expect(lines()).toEqual([expect.stringContaining('"first"'), expect.stringContaining('beside it')]);
});

test.each(['SIGTERM', 'SIGINT'])('%s is what tells it to stop', async (signal) => {
  const { own, ended } = start(({ told }) => told.then(() => EXIT.stopped));
  own.emit(signal);
  expect(await ended).toBe(EXIT.stopped);
});

test.each(['uncaughtException', 'unhandledRejection'])('%s is a bug, which ends it with a trace', async (event) => {
  const { own, ended, lines } = start(async ({ logAs, told }) => {
    logAs({ level: 'error', format: 'text' });
    await told;
    return EXIT.stopped;
  });
  own.emit(event, new Error('a bug of the test'));
  expect(await ended).toBe(EXIT.failed);
  expect(lines().join()).toMatch(/this mill has found a bug in itself and ends.*a bug of the test/);
});

test('what its work throws is a bug', async () => {
  const { ended, lines } = start(() => Promise.reject(new Error('a bug of the test')));
  expect(await ended).toBe(EXIT.failed);
  expect(lines().join()).toContain('a bug of the test');
});
