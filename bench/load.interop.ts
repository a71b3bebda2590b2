// The load generator and the app of the benchmark, one with the other: that what they say was done was done, and that they notice
// what was not. They are built by Go, so this is no part of `npm test`.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { portOf } from '../kit/testing/ports.ts';
import { openChildren } from './children.ts';
import { type App, buildLoad, type LoadGenerator, startApp, startLoadGenerator } from './load-generator.ts';
import type { Load, LoadOrder } from './load-order.ts';
import { appPortOf } from './pairs/pair.ts';
import { findProgram } from './pairs/programs.ts';
import { WORKLOADS } from './workloads.ts';

const CACHE = join(import.meta.dirname, '.cache');
const BUILD_LIMIT_MS = 600_000;
const LONG_MS = 10_000;
/** A port of the machine's own that no test listens on. */
const NOBODY = 1;
const hasGo = findProgram('go', process.env.PATH) !== undefined;
const LOADS = WORKLOADS.filter((workload) => workload.kind === 'load');

describe.skipIf(!hasGo)('load generator and app', () => {
  const children = openChildren();
  const servers: { close(): void }[] = [];
  let app: App;
  let generator: LoadGenerator;

  beforeAll(async () => {
    const file = must(buildLoad(CACHE, process.env.PATH));
    app = must(await startApp(children, file));
    generator = must(startLoadGenerator(children, file));
  }, BUILD_LIMIT_MS);
  afterAll(async () => {
    await children.endAll();
    for (const server of servers) server.close();
  });

  const order = (load: Load, port: number, more: Partial<LoadOrder> = {}): LoadOrder => ({
    ...load,
    ...{ port, targets: ['server'], runUpMs: 10, measuredMs: 200, pids: [process.pid] },
    ...more,
  });
  const [plain] = LOADS.map(({ load }) => load);
  if (plain === undefined) throw new Error('there are no workloads');

  /** A machine that stands still for a moment answers nothing in a short time: then a longer one is measured. */
  async function untilAnswered(load: Load, port: number) {
    for (let measuredMs = 200; ; measuredMs *= 4) {
      const result = must(await generator.measure(order(load, port, { measuredMs })));
      const stoodStill = result.calls === 0 || (load.hasBulk && result.bulkBytes === 0);
      if (!stoodStill || measuredMs > LONG_MS) return result;
    }
  }

  test.each(LOADS)('$name: every call is answered in full', async ({ load, shape }) => {
    const { calls, failures, reasons, bytes, latencyMicros, cpuMicros, bulkBytes } = await untilAnswered(
      load,
      appPortOf(shape, app),
    );
    expect({ failures, reasons }).toEqual({ failures: 0, reasons: [] });
    expect(calls).toBeGreaterThan(0);
    expect(bytes).toBeGreaterThanOrEqual(calls * (load.requestBytes + load.answerBytes));
    const { p50, p90, p99, max } = latencyMicros;
    expect([p50, p90, p99, max].toSorted((a, b) => a - b)).toEqual([p50, p90, p99, max]);
    expect(p50).toBeGreaterThan(0);
    expect(cpuMicros).toHaveLength(1);
    expect(bulkBytes > 0).toBe(load.hasBulk);
  });

  async function serverOf(listener: RequestListener): Promise<number> {
    const server = createServer(listener);
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return portOf(server);
  }

  test('an answer of another length is a failure', async () => {
    let turn = 0;
    const lengths = [plain.answerBytes, 7];
    const port = await serverOf((_, response) => response.end('a'.repeat(lengths[turn++ % 2] ?? 0)));
    const { calls, failures, reasons } = must(await generator.measure(order({ ...plain, perSecond: 0 }, port)));
    expect(calls).toBeGreaterThan(0);
    expect(failures).toBeGreaterThan(0);
    expect(reasons[0]).toBe('HTTP/1.1 200 OK, 7 bytes');
  });

  test('calls go to each target in turn, as they were ordered', async () => {
    const targets: unknown[] = [];
    const lengths = new Set<unknown>();
    const port = await serverOf((request, response) => {
      targets.push(request.headers['dapr-app-id']);
      lengths.add(request.headers['content-length']);
      response.end('a'.repeat(plain.answerBytes));
    });
    const names = ['one', 'two', 'three'];
    must(await generator.measure(order({ ...plain, connections: 1 }, port, { targets: names })));
    expect(targets.length).toBeGreaterThan(names.length);
    expect(targets).toEqual(targets.map((_, i) => names[i % names.length]));
    expect([...lengths]).toEqual([String(plain.requestBytes)]);
  });

  test('a connection that is torn down is a failure, and so is one that nobody takes', async () => {
    const port = await serverOf((request) => request.socket.destroy());
    const torn = must(await generator.measure(order({ ...plain, connections: 1, perSecond: 0 }, port)));
    expect(torn).toMatchObject({ calls: 0, failures: 1 });
    const refused = await generator.measure(order(plain, NOBODY));
    expect(refused).toMatchObject({ ok: false, error: expect.stringContaining('refused') });
  });

  test('a status of gRPC other than 0 is a failure, though HTTP says 200', async () => {
    const server = createHttp2Server();
    server.on('stream', (stream) => {
      stream.respond(
        { 'content-type': 'application/grpc', 'grpc-status': '12', 'grpc-message': 'no' },
        { endStream: true },
      );
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    for (const kind of ['grpc-unary', 'grpc-bidi'] as const) {
      const load: Load = { ...plain, kind, connections: 1, streams: 1 };
      const { calls, reasons } = must(await generator.measure(order(load, portOf(server))));
      expect([calls, reasons[0]]).toEqual([0, 'status 200, grpc-status 12 no']);
    }
  });

  test('a process whose processor time cannot be read is said', async () => {
    const gone = await generator.measure(order(plain, app.httpPort, { pids: [0] }));
    expect(gone).toMatchObject({ ok: false, error: expect.stringContaining('process 0') });
  });
});
