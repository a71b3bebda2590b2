// The program of the operator's image: everything that it needs is in its environment, which the chart has written (env.ts).
// With KUBECONFIG it runs outside a cluster, for development.
//
// It ends with 0 when it was told to, with 1 when it cannot start or has found a bug in itself, and with 64 when its
// environment makes no sense.
import { OPERATOR } from '../api/pod.ts';
import { systemClock } from '../kit/clock.ts';
import { EXIT, type Program, runProgram } from '../kit/program.ts';
import { openKube } from '../kube/client.ts';
import { readConfig } from './env.ts';
import { startOperator } from './operator.ts';

async function run(program: Program): Promise<number> {
  const read = readConfig(process.env);
  if (!read.ok) {
    for (const mistake of read.error) program.log.error(mistake);
    return EXIT.usage;
  }
  const config = read.value;
  const log = program.logAs(config.log);
  const kubeConfig = config.kubeconfig === undefined ? 'in-cluster' : { kubeconfigFile: config.kubeconfig };
  const kube = openKube({ kubeConfig, fieldManager: OPERATOR, clock: systemClock, log });
  if (!kube.ok) {
    log.error(kube.error);
    return EXIT.failed;
  }
  const started = await startOperator(config, { kube: kube.value, clock: systemClock, random: Math.random, log });
  if (!started.ok) {
    log.error(started.error);
    return EXIT.failed;
  }
  await program.told;
  await started.value.stop();
  return EXIT.stopped;
}

runProgram('operator', process, run);
