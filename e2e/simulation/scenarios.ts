// What may go wrong, as changes to a world over time.
import type { Server } from './server.ts';
import type { World } from './world.ts';

export interface Scenario {
  readonly name: string;
  readonly says: string;
  /** Of a call, at a worker; with four workers each, it says how much all servers can take. */
  readonly serviceMs: number;
  readonly tryTimeoutMs?: number;
  /** Plans what is to happen in a run of so many seconds. */
  readonly plan: (world: World, seconds: number) => void;
}

const SLOW: Scenario = {
  name: 'one slow endpoint',
  says: 'one of the endpoints takes 50 times as long',
  serviceMs: 10,
  plan(world) {
    const [first] = world.servers;
    if (first) first.slowness = 50;
  },
};

const DEAD: Scenario = {
  name: '20% dead',
  says: 'a fifth of the endpoints refuse connections, and the names know nothing of it',
  serviceMs: 10,
  plan(world, seconds) {
    at(world, seconds * 0.2, () => {
      for (const [number, server] of world.servers.entries()) if (number % 5 === 0) server.state = 'dead';
    });
  },
};

/** How much later than the pods themselves the names know of them. */
const NAMES_LAG_MS = 300;
/** How long a new process is slow, and how slow. */
const WARM_UP_MS = 1000;
const COLD = 3;

const ROLLING: Scenario = {
  name: 'rolling deploy',
  says: 'one endpoint after the other is replaced; the old one refuses at once, and the names learn of it later',
  serviceMs: 10,
  plan(world, seconds) {
    const old = world.servers;
    const everySeconds = (seconds * 0.8) / old.length;
    for (const [number, server] of old.entries()) at(world, everySeconds * (number + 1), () => replace(world, server));
  },
};

function replace(world: World, old: Server): void {
  const fresh = world.start();
  fresh.slowness = COLD;
  old.state = 'draining';
  world.clock.after(WARM_UP_MS, () => {
    fresh.slowness = 1;
  });
  world.clock.after(NAMES_LAG_MS, () => {
    world.stop(old);
    world.publish(world.servers);
  });
}

const OUTAGE: Scenario = {
  name: 'full outage',
  says: 'all endpoints refuse connections for a fifth of the time, and are back then',
  serviceMs: 10,
  plan(world, seconds) {
    const all = (state: Server['state']) => () => {
      for (const server of world.servers) server.state = state;
    };
    at(world, seconds * 0.3, all('dead'));
    at(world, seconds * 0.5, all('up'));
  },
};

const STORM: Scenario = {
  name: 'retry storm',
  says: 'all endpoints are three times as slow for a while, more than they can bear; a try may take 250 ms',
  serviceMs: 66,
  tryTimeoutMs: 250,
  plan(world, seconds) {
    const all = (slowness: number) => () => {
      for (const server of world.servers) server.slowness = slowness;
    };
    at(world, seconds * 0.3, all(3));
    at(world, seconds * 0.4, all(1));
  },
};

export const SCENARIOS = { slow: SLOW, dead: DEAD, rolling: ROLLING, outage: OUTAGE, storm: STORM };

function at(world: World, seconds: number, change: () => void): void {
  world.clock.after(seconds * 1000, change);
}
