// The program of the sentry's image: everything that it needs is in its environment, which the chart has written (env.ts).
// With KUBECONFIG it runs outside a cluster, for development.
//
// It ends with 0 when it was told to, with 1 when it cannot start or has found a bug in itself, and with 64 when its
// environment makes no sense.
import { randomUUID } from 'node:crypto';
import { SENTRY } from '../api/pod.ts';
import { systemClock } from '../kit/clock.ts';
import { EXIT, type Program, runProgram } from '../kit/program.ts';
import { runForLeader } from '../kube/lease.ts';
import { equipProgram } from '../kube/program.ts';
import { readConfig } from './env.ts';
import { startPodSentry } from './pod.ts';

async function run(program: Program): Promise<number> {
  const equipped = equipProgram(SENTRY, readConfig(process.env), program, systemClock);
  if (!equipped.ok) return equipped.error;
  const { config, kube, log } = equipped.value;
  const candidacy = runForLeader(
    kube,
    { namespace: config.namespace, name: SENTRY, identity: `${config.replica}_${randomUUID()}` },
    // Leading takes no work of its own: whoever is about to write asks whether it leads.
    { elected: (signal) => new Promise<void>((done) => signal.addEventListener('abort', () => done())) },
    { clock: systemClock, random: Math.random, log },
  );
  const started = await startPodSentry(config, {
    kube,
    isLeader: () => candidacy.isLeader(),
    clock: systemClock,
    log,
    audit: program.openLog({ level: 'info', format: config.log.format }),
  });
  if (!started.ok) {
    log.error(started.error);
    return EXIT.failed;
  }
  const sentry = started.value;
  const told = program.told.then(() => undefined);
  const trouble = await Promise.race([told, sentry.opened.then((opened) => (opened.ok ? told : opened.error))]);
  if (trouble !== undefined) log.error(trouble);
  await Promise.all([sentry.stop(), candidacy.stop()]);
  return trouble === undefined ? EXIT.stopped : EXIT.failed;
}

runProgram('sentry', process, run);
