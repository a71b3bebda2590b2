// For tests of resiliency: objects as people write them; a sidecar that goes by them, on a clock that the test moves; and the instances
// that it calls, which answer as the test says and count.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { readResiliency } from '../../api/resources/resiliency.ts';
import { must } from '../../kit/result.ts';
import { snapshot, type WritableSnapshot } from '../../kit/snapshot.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import type { PlacedResiliency } from '../../policy/resiliency/settle.ts';
import type { SidecarConfig } from '../config.ts';
import type { ConfigResource, FeedConfig } from '../feed/feed.ts';
import { EMPTY_CONFIG } from '../testing/feed.ts';
import { type Mesh, type MeshApp, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { type Answered, type Sent, send, to } from './testing.ts';

export type Spec = Readonly<Record<string, unknown>>;

/** One object; it is of the mesh's own namespace. */
export function resiliency(spec: Spec, name = 'front', createdMs = 0): PlacedResiliency {
  return { namespace: 'default', name, createdMs, spec: must(readResiliency(spec)) };
}

/** What a sidecar goes by, and the test changes. */
export function policies(...specs: readonly Spec[]): WritableSnapshot<readonly PlacedResiliency[]> {
  return snapshot(specs.map((spec, at) => resiliency(spec, `front-${at}`, at)));
}

/** What the operator says of policies, from the oldest to the newest. */
export function fed(...specs: readonly Spec[]): FeedConfig {
  const resources = specs.map((spec, at): ConfigResource => {
    return { kind: 'Resiliency', namespace: 'default', name: `front-${at}`, generation: 1, createdMs: at, spec };
  });
  return { ...EMPTY_CONFIG, resources };
}

export interface Policies {
  readonly objects: WritableSnapshot<readonly PlacedResiliency[]>;
  /** From now on; without any there is none. */
  readonly goBy: (...specs: readonly Spec[]) => void;
}

/** The policies of a file's tests, each of which begins without any. */
export function policiesForAll(): Policies {
  const objects = policies();
  const goBy = (...specs: readonly Spec[]) => objects.set(policies(...specs).current());
  afterEach(() => goBy());
  return { objects, goBy };
}

export const SOON = { duration: '1ms' };

/** A spec that is about one app. */
export function about(app: string, target: Spec, more: Spec = {}): Spec {
  return { policies: more, targets: { apps: { [app]: target } } };
}

/** One instance: the statuses of its next answers, then 200; and what came. */
export class Instance {
  answers: number[] = [];
  readonly seen: {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingMessage['headers'];
    body: string;
  }[] = [];
  sidecar: MeshSidecar | undefined;
  readonly #waiting: ((response: ServerResponse) => void)[] = [];
  #holds = false;

  readonly handler = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: '' };
    this.seen.push(one);
    request.on('data', (chunk: Buffer) => {
      one.body += chunk.toString();
    });
    request.on('end', () => {
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) waiting(response);
      else if (!this.#holds) this.#answer(response);
    });
  };

  async start(mesh: Mesh, app: string, config: Partial<SidecarConfig> = {}): Promise<void> {
    this.sidecar = await mesh.start(app, { handler: this.handler, config });
  }

  /** The answer to the next request that is whole is the test's own. */
  next(): Promise<ServerResponse> {
    return new Promise((done) => this.#waiting.push(done));
  }

  /** Answers nothing from now on. */
  hold(): void {
    this.#holds = true;
  }

  reset(): void {
    this.answers = [];
    this.seen.length = 0;
    this.#waiting.length = 0;
    this.#holds = false;
  }

  #answer(response: ServerResponse): void {
    const status = this.answers.shift() ?? 200;
    response.writeHead(status, { 'x-status': String(status) }).end(`status ${status}`);
  }
}

export async function instance(mesh: Mesh, app: string, config: Partial<SidecarConfig> = {}): Promise<Instance> {
  const one = new Instance();
  await one.start(mesh, app, config);
  return one;
}

/** So many instances of an app. */
export async function instances(
  mesh: Mesh,
  app: string,
  count: number,
  config: Partial<SidecarConfig> = {},
): Promise<readonly Instance[]> {
  return Promise.all(Array.from({ length: count }, () => instance(mesh, app, config)));
}

export function seenBy(all: readonly Instance[]): number {
  return all.reduce((sum, { seen }) => sum + seen.length, 0);
}

/** A call that is in the app, whose answer is the test's own. */
export interface Inside {
  readonly answer: Promise<Answered>;
  readonly response: ServerResponse;
}

/** Once this call is in this instance; one that is answered without it fails the test at once. */
export async function inside(one: Instance, answer: Promise<Answered>): Promise<Inside> {
  const missed = answer.then(({ status }): never => {
    throw new Error(`the call was answered with ${status} before it was in the app`);
  });
  return { answer, response: await Promise.race([one.next(), missed]) };
}

export interface Held {
  /** Which of the instances has it. */
  readonly at: number;
  readonly response: ServerResponse;
}

/** What comes from now on, one by one: the first request to each instance, which the test answers. */
export function heldBy(all: readonly Instance[]): () => Promise<Held> {
  const left = new Map(all.map((each, at) => [at, each.next().then((response): Held => ({ at, response }))]));
  return async () => {
    const one = await Promise.race(left.values());
    left.delete(one.at);
    return one;
  };
}

/** `web`, which only calls, in a mesh of a file's own. Both are there from the first test on, and not sooner. */
export interface Web {
  readonly mesh: Mesh;
  readonly sidecar: MeshSidecar['sidecar'];
  readonly call: (app: string, more?: Partial<Sent>) => Promise<Answered>;
  /** An instance for all tests, which forgets after each of them what it was told. */
  readonly instance: (app: string) => Instance;
  readonly instances: (app: string, count: number) => readonly Instance[];
  /** Its metrics, as they are read by others. */
  readonly scraped: () => Promise<string>;
  /** The numbers of a metric about an app, by what is left of their labels. */
  readonly told: (app: string, metric: string) => Promise<Readonly<Record<string, number>>>;
}

export function webForAll(options: MeshApp): Web {
  let mesh: Mesh | undefined;
  let web: MeshSidecar | undefined;
  beforeAll(async () => {
    mesh = await startMesh();
    web = await mesh.start('web', options);
  });
  afterAll(() => mesh?.close());
  const started = <T>(one: T | undefined): T => {
    if (one === undefined)
      throw new Error('the mesh starts right before the first test: ask for it in a test or a hook');
    return one;
  };
  function instance(app: string): Instance {
    const one = new Instance();
    beforeAll(() => one.start(started(mesh), app));
    afterEach(() => one.reset());
    return one;
  }
  const scraped = async () =>
    (await send(started(web).sidecar.ports.metrics ?? 0, { path: '/metrics' })).body.toString();
  return {
    get mesh() {
      return started(mesh);
    },
    get sidecar() {
      return started(web).sidecar;
    },
    call: (app, more = {}) => send(started(web).sidecar.ports.http, { path: to(app, '/pay'), ...more }),
    instance,
    instances: (app, count) => Array.from({ length: count }, () => instance(app)),
    scraped,
    async told(app, metric) {
      const about = new RegExp(`^invoke_${metric}\\{peer="${app}\\.default",?(.*)\\} (\\S+)$`, 'gm');
      const found = (await scraped()).matchAll(about);
      return Object.fromEntries([...found].map(([, labels = '', value]) => [labels, Number(value)]));
    },
  };
}

/** A clock that the test moves, and that tells it when somebody begins to wait. */
export interface WatchedClock extends ManualClock {
  /** Somebody waits for so long from now on. */
  waitingFor(ms: number): Promise<void>;
  /** Lets so long pass, as soon as somebody waits for it. */
  pass(ms: number): Promise<void>;
}

export function watchedClock(): WatchedClock {
  const clock = manualClock();
  const waits = new Map<number, () => void>();
  const waitingFor = (ms: number) =>
    clock.waiting().includes(ms) ? Promise.resolve() : new Promise<void>((done) => waits.set(ms, done));
  return {
    ...clock,
    after(delayMs, task) {
      const cancel = clock.after(delayMs, task);
      waits.get(delayMs)?.();
      waits.delete(delayMs);
      return cancel;
    },
    waitingFor,
    async pass(ms) {
      await waitingFor(ms);
      clock.advance(ms);
    },
  };
}
