// The private certificate authority of this machine's user: some live `invokectl` always hosts it, behind a socket in a
// folder that only they can enter. No daemon is left behind: when the one that hosts it ends, another takes over.
import { connect, type Socket } from 'node:net';
import { backoffMs, type Random } from '../kit/backoff.ts';
import type { Cancel, Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { SignerConfig } from './flags.ts';

/** What this file asks of sentry/: see startSentry there. */
export interface HostedSentry {
  stop(): Promise<void>;
}
export type SentryFailure = { readonly kind: 'already-served' } | { readonly kind: 'failed'; readonly message: string };
export type HostSentry = (config: SignerConfig) => Promise<Result<HostedSentry, SentryFailure>>;

export interface SignerDeps {
  readonly hostSentry: HostSentry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Signer {
  /** This process hosts no authority from here on. */
  stop(): Promise<void>;
}

type State =
  | { readonly kind: 'serving'; readonly sentry: HostedSentry }
  /** Another process serves; the connection closes when it ends. */
  | { readonly kind: 'watching'; readonly socket: Socket }
  | { readonly kind: 'waiting'; readonly cancel: Cancel }
  | { readonly kind: 'starting'; readonly done: Promise<void> }
  | { readonly kind: 'stopped' };

/** Apart enough that the many who see the host end do not all try at the same instant. */
const TAKE_OVER = { baseMs: 40, maxMs: 5000 };
/** Longest path of a Unix socket that every system takes (macOS: 104 bytes with the terminator). */
const SOCKET_PATH_BYTES_MAX = 103;

/** Returns once an authority serves, here or in another process. */
export async function keepSigner(config: SignerConfig, deps: SignerDeps): Promise<Result<Signer>> {
  const { socketPath } = config;
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES_MAX) {
    return err(
      `the path ${socketPath} is too long for a Unix socket (${SOCKET_PATH_BYTES_MAX} bytes at most); set INVOKE_HOME to a shorter folder`,
    );
  }
  const first = await findOrHost(config, deps);
  if (first.kind === 'failed') return err(first.message);
  if (first.kind !== 'serving' && config.workloadCertTtlMs !== undefined) deps.log.warn(TTL_IS_THE_HOSTS);
  return ok(keepServed(config, deps, first));
}

const TTL_IS_THE_HOSTS =
  '--workload-cert-ttl has no effect: another invokectl hosts the certificate authority of this machine, and its own ' +
  'flag decides; this one counts if this process takes over';

type Served =
  | { readonly kind: 'serving'; readonly sentry: HostedSentry }
  /** Another process serves at the other end. */
  | { readonly kind: 'found'; readonly socket: Socket }
  /** Another process was faster by a moment. */
  | { readonly kind: 'already-served' }
  | { readonly kind: 'failed'; readonly message: string };

/** Where somebody serves, neither the authority's folder nor its libraries are touched. */
async function findOrHost(config: SignerConfig, { hostSentry }: SignerDeps): Promise<Served> {
  const socket = await connectTo(config.socketPath);
  if (socket !== undefined) return { kind: 'found', socket };
  const hosted = await hostSentry(config);
  return hosted.ok ? { kind: 'serving', sentry: hosted.value } : hosted.error;
}

/** Undefined: nobody answers. */
function connectTo(socketPath: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => resolve(socket));
    socket.on('error', () => resolve(undefined));
  });
}

function keepServed(config: SignerConfig, deps: SignerDeps, first: Served): Signer {
  const { clock, random, log } = deps;
  let state: State = follow(first, 0);

  /** `attempt` counts the tries since somebody was last known to serve. */
  function follow(served: Served, attempt: number): State {
    if (served.kind === 'serving') return served;
    if (served.kind === 'found') return watch(served.socket);
    if (served.kind === 'failed') log.error(`no certificate authority: ${served.message}; trying again`);
    return waitToTakeOver(attempt + 1);
  }

  function watch(socket: Socket): State {
    socket.unref();
    socket.resume();
    socket.once('close', () => {
      if (state.kind === 'watching') state = waitToTakeOver(1);
    });
    return { kind: 'watching', socket };
  }

  function waitToTakeOver(attempt: number): State {
    const cancel = clock.after(backoffMs(attempt, TAKE_OVER, random), () => {
      state = { kind: 'starting', done: takeOver(attempt) };
    });
    return { kind: 'waiting', cancel };
  }

  async function takeOver(attempt: number): Promise<void> {
    const served = await findOrHost(config, deps);
    if (state.kind === 'stopped') return letGo(served);
    if (served.kind === 'serving') {
      log.info('hosting the certificate authority of this machine, which another process hosted before');
    }
    state = follow(served, attempt);
  }

  return {
    async stop() {
      const last = state;
      state = { kind: 'stopped' };
      if (last.kind === 'serving') await last.sentry.stop();
      if (last.kind === 'watching') last.socket.destroy();
      if (last.kind === 'waiting') last.cancel();
      if (last.kind === 'starting') await last.done;
    },
  };
}

async function letGo(served: Served): Promise<void> {
  if (served.kind === 'serving') await served.sentry.stop();
  if (served.kind === 'found') served.socket.destroy();
}
