// What wire/socket-intake.ts gains over the platform's way to read: `node bench/intake.bench.ts`. CPU of the thread that reads
// and writes, kernel included, for one round trip to an echo in another thread; in turns, the median of the rounds.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { threadCpuUsage } from 'node:process';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { portOf } from '../kit/testing/ports.ts';
import { AnswerFirstSocket, socketLink } from '../wire/socket-link.ts';

const ROUNDS = 15;
const TRIPS = 2000;

if (isMainThread) await main();
else await echo();

async function main(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const [port]: number[] = await once(worker, 'message');
  for (const bytes of [256, 1200, 60_000]) {
    const plain = await talker(connect(port ?? 0, '127.0.0.1'), bytes);
    const trick = await talker(new AnswerFirstSocket({}).connect(port ?? 0, '127.0.0.1'), bytes);
    const micros: { plain: number; trick: number }[] = [];
    for (let i = 0; i < ROUNDS; i++) micros.push({ plain: await plain(), trick: await trick() });
    const ratio = median(micros.map((round) => round.plain / round.trick));
    const [before, after] = [median(micros.map((round) => round.plain)), median(micros.map((round) => round.trick))];
    console.log(
      `${bytes} bytes there and back: ${before.toFixed(1)} µs > ${after.toFixed(1)} µs   ${ratio.toFixed(2)}x`,
    );
  }
  await worker.terminate();
  process.exit();
}

/** Does a round of trips, and says what one has cost. */
async function talker(socket: Socket, bytes: number): Promise<() => Promise<number>> {
  await once(socket, 'connect');
  const link = socketLink(socket);
  const message = Buffer.alloc(bytes, 'x');
  let [left, unread] = [0, 0];
  let done: () => void = () => undefined;
  const send = () => {
    unread = bytes;
    link.write(message);
  };
  const data = (chunk: Buffer) => {
    unread -= chunk.length;
    if (unread > 0) return;
    left--;
    if (left > 0) send();
    else done();
  };
  link.listen({ data, drained: () => undefined, ended: () => undefined, closed: () => undefined });
  return async () => {
    const before = threadCpuUsage();
    left = TRIPS;
    send();
    await new Promise<void>((resolve) => {
      done = resolve;
    });
    const { user, system } = threadCpuUsage(before);
    return (user + system) / TRIPS;
  };
}

async function echo(): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  parentPort?.postMessage(portOf(server));
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
