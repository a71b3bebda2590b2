// The load generator, a process of its own: HTTP/1.1 on bare sockets, over connections that are kept. It reads orders from its
// standard input and writes results to its standard output, one line of JSON each (load-order.ts), so that a program in another
// language can take its place.
//
// At a fixed pace, a request that finds all connections busy counts from when it was due, not from when it could be sent: a
// server that stalls delays all that would have been asked meanwhile, and that is to be seen. How late the generator itself was
// is no fault of the server, and is told apart.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { sleep, systemClock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import type { FromLoad, LoadOrder, LoadResult, Percentiles } from './load-order.ts';
import { MessageReader, type WholeMessage } from './message-reader.ts';
import { cpuNs } from './proc.ts';
import { percentile } from './statistics.ts';
import { startTicker, type Ticker } from './ticker.ts';

const REASONS_MAX = 3;
/** For what is under way when the time is over. */
const LAST_ANSWERS_MS = 10_000;

interface Connection {
  readonly socket: Socket;
  /** From when the request under way counts; NaN without one. */
  sinceMs: number;
}

/** What is counted between the beginning and the end of the measurement. */
interface Tally {
  readonly latencies: number[];
  readonly lates: number[];
  due: number;
}

class Run {
  readonly #order: LoadOrder;
  readonly #request: Buffer;
  readonly #connections: Connection[] = [];
  /** First in, first out: every connection has its turn. */
  readonly #idle: Connection[] = [];
  /** Requests that found no idle connection, by when they were due. */
  readonly #waiting: number[] = [];
  readonly #reasons: string[] = [];
  #failures = 0;
  #tally: Tally | undefined;
  #isOver = false;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#request = requestOf(order);
  }

  async measure(): Promise<LoadResult> {
    const { warmUpMs, measuredMs, pids } = this.#order;
    await this.#connect();
    const ticker = this.#start();
    await sleep(systemClock, warmUpMs);
    const [cpuBefore, ownBefore] = [pids.map(cpuNs), cpuNs(process.pid)];
    const tally: Tally = { latencies: [], lates: [], due: 0 };
    const beganMs = performance.now();
    this.#tally = tally;
    await sleep(systemClock, measuredMs);
    this.#tally = undefined;
    const endedMs = performance.now();
    const [cpuAfter, ownAfter] = [pids.map(cpuNs), cpuNs(process.pid)];
    await this.#end(ticker);
    return {
      calls: tally.latencies.length,
      due: tally.due,
      failures: this.#failures,
      reasons: this.#reasons,
      seconds: (endedMs - beganMs) / 1000,
      latencyMicros: percentilesOf(tally.latencies),
      lateMicros: percentilesOf(tally.lates),
      cpuMicros: cpuAfter.map((ns, i) => (ns - (cpuBefore[i] ?? 0)) / 1000),
      ownCpuMicros: (ownAfter - ownBefore) / 1000,
    };
  }

  async #connect(): Promise<void> {
    const { connections, port } = this.#order;
    // In turn: a thousand at once would overflow a listener's queue, and the kernel would try again only after a second.
    for (let i = 0; i < connections; i++) this.#idle.push(await this.#open(port));
  }

  async #open(port: number): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const connection: Connection = { socket, sinceMs: Number.NaN };
    const reader = new MessageReader((answer) => this.#answered(connection, answer));
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#broken(connection, messageOf(error));
      }
    });
    socket.on('error', (error) => this.#broken(connection, error.message));
    socket.on('close', () => this.#broken(connection, 'the connection was closed'));
    this.#connections.push(connection);
    return connection;
  }

  #start(): Ticker | undefined {
    const { pace } = this.#order;
    if (pace.kind === 'saturated') {
      for (const connection of this.#idle.splice(0)) this.#send(connection, performance.now());
      return undefined;
    }
    const intervalMs = 1000 / pace.perSecond;
    const [startNs, startMs] = [process.hrtime.bigint(), performance.now()];
    let asked = 0;
    return startTicker(startNs, intervalMs, () => {
      for (const now = performance.now(); startMs + asked * intervalMs <= now; asked++) {
        this.#ask(startMs + asked * intervalMs, now);
      }
    });
  }

  #ask(dueMs: number, now: number): void {
    if (this.#isOver) return;
    if (this.#tally !== undefined) {
      this.#tally.due++;
      this.#tally.lates.push(now - dueMs);
    }
    const connection = this.#idle.shift();
    if (connection === undefined) this.#waiting.push(dueMs);
    else this.#send(connection, now);
  }

  #send(connection: Connection, sinceMs: number): void {
    connection.sinceMs = sinceMs;
    connection.socket.write(this.#request);
  }

  #answered(connection: Connection, { startLine, bodyBytes }: WholeMessage): void {
    const { pace, answerBytes } = this.#order;
    const now = performance.now();
    const latencyMs = now - connection.sinceMs;
    connection.sinceMs = Number.NaN;
    if (!startLine.startsWith('HTTP/1.1 200') || bodyBytes !== answerBytes) {
      this.#failed(`${startLine}, ${bodyBytes} bytes`);
    } else {
      this.#tally?.latencies.push(latencyMs);
    }
    if (this.#isOver) return;
    const sinceMs = pace.kind === 'saturated' ? now : this.#waiting.shift();
    if (sinceMs === undefined) this.#idle.push(connection);
    else this.#send(connection, sinceMs);
  }

  #broken(connection: Connection, reason: string): void {
    if (this.#isOver && Number.isNaN(connection.sinceMs)) return;
    connection.sinceMs = Number.NaN;
    connection.socket.destroy();
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#failed(reason);
  }

  #failed(reason: string): void {
    this.#failures++;
    if (this.#reasons.length < REASONS_MAX) this.#reasons.push(reason);
  }

  async #end(ticker: Ticker | undefined): Promise<void> {
    this.#isOver = true;
    await ticker?.stop();
    const endMs = performance.now() + LAST_ANSWERS_MS;
    const isUnderWay = ({ sinceMs }: Connection) => !Number.isNaN(sinceMs);
    while (this.#connections.some(isUnderWay) && performance.now() < endMs) await sleep(systemClock, 5);
    for (const connection of this.#connections) {
      if (isUnderWay(connection)) this.#failed('no answer');
      connection.sinceMs = Number.NaN;
      connection.socket.destroy();
    }
  }
}

/** Seven fields. The target is in a field, so that every pair is sent the same bytes. */
function requestOf({ requestBytes, answerBytes }: LoadOrder): Buffer {
  const head = [
    `POST /bytes/${answerBytes} HTTP/1.1`,
    'host: server.bench.test',
    'dapr-app-id: server',
    'user-agent: bench/1',
    'accept: */*',
    'content-type: application/octet-stream',
    'x-request-id: 5f0c6a52-4a39-4d0a-9b8e-0c7f3d0b8a11',
    `content-length: ${requestBytes}`,
    '\r\n',
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n')), Buffer.alloc(requestBytes, 'q')]);
}

function percentilesOf(values: readonly number[]): Percentiles {
  const micros = Float64Array.from(values, (ms) => ms * 1000).sort();
  return { p50: percentile(micros, 50), p90: percentile(micros, 90), p99: percentile(micros, 99) };
}

function tell(message: FromLoad): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

// Whoever started it is gone when its input ends, and so it ends.
createInterface({ input: process.stdin }).on('line', (line) => {
  const order: LoadOrder = JSON.parse(line);
  new Run(order).measure().then(
    (result) => tell({ kind: 'measured', result }),
    (error: unknown) => tell({ kind: 'failed', reason: messageOf(error) }),
  );
});
