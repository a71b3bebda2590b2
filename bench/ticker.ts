// Wakes the load generator when the next request is due. Timers of the event loop count whole milliseconds, which is more than
// a call takes; a thread that sleeps on a futex is woken within some tens of microseconds.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

interface TickerData {
  /** 1: end. */
  readonly flag: Int32Array;
  readonly startNs: bigint;
  readonly intervalMs: number;
}

export interface Ticker {
  stop(): Promise<void>;
}

/** Ticks at `startNs` (process.hrtime) and every `intervalMs` from there; ticks that it has missed come as one. */
export function startTicker(startNs: bigint, intervalMs: number, tick: () => void): Ticker {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const data: TickerData = { flag, startNs, intervalMs };
  const worker = new Worker(new URL(import.meta.url), { workerData: data });
  worker.on('message', tick);
  const ended = new Promise<void>((done) => worker.once('exit', () => done()));
  return {
    stop() {
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
      return ended;
    },
  };
}

function run({ flag, startNs, intervalMs }: TickerData): void {
  const elapsedMs = () => Number(process.hrtime.bigint() - startNs) / 1e6;
  let next = 0;
  for (;;) {
    const waitMs = next * intervalMs - elapsedMs();
    if (waitMs > 0) Atomics.wait(flag, 0, 0, waitMs);
    if (Atomics.load(flag, 0) === 1) return;
    const now = elapsedMs();
    if (now < next * intervalMs) continue;
    parentPort?.postMessage(undefined);
    next = Math.floor(now / intervalMs) + 1;
  }
}

if (!isMainThread) run(workerData);
