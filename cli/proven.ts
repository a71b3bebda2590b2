// Waiting until a sidecar can prove who its app is: before, it refuses what the app calls.
import { type Clock, sleep } from '../kit/clock.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { HostedSidecar } from './host-sidecar.ts';

const LOOK_PERIOD_MS = 25;

/** Or why it cannot, in whole words. */
export async function untilProven(sidecar: HostedSidecar, withinMs: number, clock: Clock): Promise<Result<void>> {
  const startedAtMs = clock.elapsed();
  for (;;) {
    const state = sidecar.identity();
    if (state.kind === 'ready') return ok(undefined);
    // Whoever cannot be reached may be starting. Any other answer would be the same a moment later.
    const isFinal = state.lastFailure !== undefined && state.lastFailure !== 'unreachable';
    if (isFinal) return err(`no certificate to call with: ${state.lastError}`);
    if (clock.elapsed() - startedAtMs > withinMs) {
      const reason = state.lastError ?? 'the certificate authority does not answer';
      return err(`no certificate within ${withinMs / 1000} s: ${reason}`);
    }
    await sleep(clock, LOOK_PERIOD_MS);
  }
}
