// For tests of resiliency: objects as people write them, and an app with instances that answer as the test says and count.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readResiliency } from '../../api/resources/resiliency.ts';
import { must } from '../../kit/result.ts';
import { snapshot, type WritableSnapshot } from '../../kit/snapshot.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import type { PlacedResiliency } from '../../policy/resiliency/settle.ts';
import type { SidecarConfig } from '../config.ts';
import type { Mesh, MeshSidecar } from '../testing/mesh.ts';

export type Spec = Readonly<Record<string, unknown>>;

/** One object; it is of the mesh's own namespace. */
export function resiliency(spec: Spec, name = 'front', createdMs = 0): PlacedResiliency {
  return { namespace: 'default', name, createdMs, spec: must(readResiliency(spec)) };
}

/** What a sidecar goes by, and the test changes. */
export function policies(...specs: readonly Spec[]): WritableSnapshot<readonly PlacedResiliency[]> {
  return snapshot(specs.map((spec, at) => resiliency(spec, `front-${at}`, at)));
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
  one.sidecar = await mesh.start(app, { handler: one.handler, config });
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

/** A clock that the test moves, and that tells it when somebody begins to wait. */
export interface WatchedClock extends ManualClock {
  /** Somebody waits for so long from now on. */
  waitingFor(ms: number): Promise<void>;
}

export function watchedClock(): WatchedClock {
  const clock = manualClock();
  const waits = new Map<number, () => void>();
  return {
    ...clock,
    after(delayMs, task) {
      const cancel = clock.after(delayMs, task);
      waits.get(delayMs)?.();
      waits.delete(delayMs);
      return cancel;
    },
    waitingFor: (ms) => (clock.waiting().includes(ms) ? Promise.resolve() : new Promise((done) => waits.set(ms, done))),
  };
}
