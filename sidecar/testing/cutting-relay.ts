// For tests: a relay that cuts a connection behind a byte of the test's choice.
import type { Socket } from 'node:net';
import { type Join, type Relay, relay } from './relay.ts';

/** Up is towards whom the relay leads to. */
export type Way = 'up' | 'down';

export interface Cut {
  readonly way: Way;
  /** Counted from when the relay is armed; this one still passes. */
  readonly atByte: number;
  /** Both ends lose the connection, or the one that would have got the next byte is told that there is none. */
  readonly how: 'break' | 'hang-up';
}

export interface CuttingRelay extends Relay {
  /** Cuts once; without a cut it counts alone. */
  arm(cut?: Cut): void;
  /** What has passed since it was armed. */
  passed(way: Way): number;
  /** Both sockets of the connection that it has cut since it was armed, if it has. */
  readonly cutPair: readonly Socket[];
}

export async function cuttingRelay(dial: () => Socket): Promise<CuttingRelay> {
  const passed = { up: 0, down: 0 };
  let next: Cut | undefined;
  let cutPair: readonly Socket[] = [];

  const cut = (from: Socket, to: Socket, how: Cut['how'], last: Buffer) => {
    cutPair = [from, to];
    next = undefined;
    if (how === 'hang-up') {
      to.end(last);
      return;
    }
    to.write(last, () => to.resetAndDestroy());
    from.resetAndDestroy();
  };
  const pass = (way: Way, from: Socket, to: Socket) => {
    from.on('data', (chunk: Buffer) => {
      passed[way] += chunk.length;
      const over = next?.way === way ? passed[way] - next.atByte : -1;
      if (next !== undefined && over >= 0) cut(from, to, next.how, chunk.subarray(0, chunk.length - over));
      // After a hang-up the rest goes nowhere.
      else if (to.writable) to.write(chunk);
    });
    from.on('end', () => to.end());
    from.once('close', () => to.destroy());
  };
  const join: Join = (near, far) => {
    pass('up', near, far);
    pass('down', far, near);
  };

  const plain = await relay(dial, join);
  return {
    ...plain,
    arm(wanted) {
      passed.up = 0;
      passed.down = 0;
      cutPair = [];
      next = wanted;
    },
    passed: (way) => passed[way],
    get cutPair() {
      return cutPair;
    },
  };
}
