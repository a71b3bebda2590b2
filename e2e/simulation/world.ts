// Clients, servers and names on one clock, from one seed: the same world every time.
import type { Random } from '../../kit/backoff.ts';
import type { Outcome } from '../../policy/resiliency/codes.ts';
import { type Instance, memberKey } from '../../policy/resiliency/pick/member.ts';
import type { TargetPlan } from '../../policy/resiliency/plan.ts';
import { seeded } from '../../policy/resiliency/testing/plans.ts';
import { type CallRecord, Client } from './client.ts';
import { Server } from './server.ts';
import { SimClock } from './sim-clock.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly clients: number;
  readonly servers: number;
  readonly callsPerSecond: number;
  readonly serviceMs: number;
  readonly plan: TargetPlan;
}

export class World {
  readonly clock = new SimClock();
  readonly calls: CallRecord[] = [];
  readonly #options: WorldOptions;
  readonly #random: Random;
  readonly #servers = new Map<string, Server>();
  #named: readonly Instance[] = [];
  #born = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    for (let number = 0; number < options.servers; number++) this.start();
    this.publish(this.servers);
    for (let number = 0; number < options.clients; number++) this.#startClient();
  }

  /** Those that run, the oldest first. */
  get servers(): readonly Server[] {
    return [...this.#servers.values()];
  }

  /** A new instance, at an address that nobody had. Nobody knows of it yet. */
  start(): Server {
    const instance: Instance = { host: `10.0.0.${this.#born++}`, port: 50002 };
    const { serviceMs } = this.#options;
    const server = new Server(instance, { clock: this.clock, random: this.#random, serviceMs });
    this.#servers.set(memberKey(instance), server);
    return server;
  }

  stop(server: Server): void {
    this.#servers.delete(memberKey(server.instance));
  }

  /** What the names say from now on, to all clients. */
  publish(servers: readonly Server[], draining?: Server): void {
    this.#named = servers.map((server) =>
      server === draining ? { ...server.instance, isDraining: true } : server.instance,
    );
  }

  #startClient(): void {
    const { callsPerSecond, plan } = this.#options;
    const client = new Client({
      clock: this.clock,
      random: this.#random,
      plan,
      instances: () => this.#named,
      send: (instance, done) => this.#send(instance, done),
      began: (call) => this.calls.push(call),
    });
    // By chance, and on average as often as asked for.
    const next = () => (-Math.log(1 - this.#random()) * 1000) / callsPerSecond;
    const call = () => {
      client.call();
      this.clock.after(next(), call);
    };
    this.clock.after(next(), call);
  }

  #send(instance: Instance, done: (outcome: Outcome) => void): void {
    const server = this.#servers.get(memberKey(instance));
    if (server === undefined) this.clock.after(NOBODY_MS, () => done({ kind: 'fault', code: 'peer-unreachable' }));
    else server.call(done);
  }
}

/** Until it is known that an address has nobody: the connection is refused, or not answered at all for long. */
const NOBODY_MS = 1;
