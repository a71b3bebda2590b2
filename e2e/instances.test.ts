// Several instances of one app: all are used, one that goes is not missed, one that comes is found.
import { kill } from 'node:process';
import { expect, test } from 'vitest';
import { machine, type Program } from './machine.ts';

const NAMED = `
  import { createServer } from 'node:http';
  createServer((_, response) => response.end(String(process.pid))).listen(process.env.APP_PORT, '127.0.0.1');
`;

interface Outcome {
  readonly status: number;
  readonly text: string;
  readonly startedAt: number;
}

/** Calls without a pause, four at a time, until told to stop. */
function steadyCalls(caller: Program, url: string) {
  const outcomes: Outcome[] = [];
  let isStopped = false;
  const lane = async () => {
    while (!isStopped) {
      const startedAt = performance.now();
      const answer = await fetch(`${caller.url}${url}`);
      outcomes.push({ status: answer.status, text: await answer.text(), startedAt });
    }
  };
  const lanes = Promise.all([lane(), lane(), lane(), lane()]);
  return {
    outcomes,
    async stop() {
      isStopped = true;
      await lanes;
    },
    /** Waits until this many instances have answered since now. */
    async heardFrom(count: number): Promise<void> {
      const since = outcomes.length;
      while (
        new Set(
          outcomes
            .slice(since)
            .filter(isOk)
            .map((o) => o.text),
        ).size < count
      )
        await nextTurn();
    },
  };
}

const isOk = (outcome: Outcome) => outcome.status === 200;
const nextTurn = () => new Promise((done) => setImmediate(done));

test('two are used, one is stopped gracefully and one is killed, a third comes: only calls inside the killed one are lost', async () => {
  const laptop = machine();
  const caller = await laptop.sidecar('web');
  const first = await laptop.run('pair', NAMED);
  const second = await laptop.run('pair', NAMED);
  const calls = steadyCalls(caller, '/v1.0/invoke/pair/method/who');
  await calls.heardFrom(2);

  kill(second.sidecarPid, 'SIGTERM');
  await second.cli.ended;
  await calls.heardFrom(1);
  expect(calls.outcomes.filter((outcome) => !isOk(outcome))).toEqual([]);

  const third = await laptop.run('pair', NAMED);
  await calls.heardFrom(2);
  expect(calls.outcomes.filter((outcome) => !isOk(outcome))).toEqual([]);

  kill(first.sidecarPid, 'SIGKILL');
  expect(await first.cli.ended).toBe(1);
  const gone = performance.now();
  await calls.heardFrom(1);
  await calls.stop();
  const lost = calls.outcomes.filter((outcome) => !isOk(outcome));
  expect(lost.filter((outcome) => outcome.startedAt > gone)).toEqual([]);
  expect(lost.map((outcome) => outcome.status).filter((status) => status !== 502)).toEqual([]);
  expect(third.cli.child.exitCode).toBe(null);
}, 60_000);
