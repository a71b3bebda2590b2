// The program of the operator's image: everything that it needs is in its environment, which the chart has written (env.ts).
// With KUBECONFIG it runs outside a cluster, for development.
//
// It ends with 0 when it was told to, with 1 when it cannot start or has found a bug in itself, and with 64 when its
// environment makes no sense.
import { OPERATOR } from '../api/pod.ts';
import { systemClock } from '../kit/clock.ts';
import { EXIT, type Program, runProgram } from '../kit/program.ts';
import { equipProgram } from '../kube/program.ts';
import { readConfig } from './env.ts';
import { startOperator } from './operator.ts';

async function run(program: Program): Promise<number> {
  const equipped = equipProgram(OPERATOR, readConfig(process.env), program, systemClock);
  if (!equipped.ok) return equipped.error;
  const { config, kube, log } = equipped.value;
  const started = await startOperator(config, { kube, clock: systemClock, random: Math.random, log });
  if (!started.ok) {
    log.error(started.error);
    return EXIT.failed;
  }
  await program.told;
  await started.value.stop();
  return EXIT.stopped;
}

runProgram('operator', process, run);
