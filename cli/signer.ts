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
  const first = await deps.hostSentry(config);
  if (!first.ok && first.error.kind === 'failed') return err(first.error.message);
  return ok(keepServed(config, deps, first.ok ? first.value : undefined));
}

function keepServed(config: SignerConfig, deps: SignerDeps, own: HostedSentry | undefined): Signer {
  const { clock, random, log } = deps;
  let state: State = own === undefined ? watchOther(1) : { kind: 'serving', sentry: own };

  /** `attempt` counts the tries since somebody was last known to serve. */
  function watchOther(attempt: number): State {
    const socket = connect(config.socketPath);
    let triesSoFar = attempt;
    socket.unref();
    socket.resume();
    socket.once('connect', () => {
      triesSoFar = 0;
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (state.kind === 'watching') state = waitToTakeOver(triesSoFar + 1);
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
    const started = await deps.hostSentry(config);
    if (state.kind === 'stopped') {
      if (started.ok) await started.value.stop();
    } else if (started.ok) {
      log.info('hosting the certificate authority of this machine, which another process hosted before');
      state = { kind: 'serving', sentry: started.value };
    } else if (started.error.kind === 'already-served') {
      state = watchOther(attempt);
    } else {
      log.error(`no certificate authority: ${started.error.message}; trying again`);
      state = waitToTakeOver(attempt + 1);
    }
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
