// What our two ways to read gain over the platform's (wire/socket-link.ts, wire/socket-intake.ts): `node bench/intake.bench.ts`.
// CPU of the thread that reads and writes, kernel included, for one round trip to an echo in another thread; in turns, the
// median of the rounds.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { threadCpuUsage } from 'node:process';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { portOf } from '../kit/testing/ports.ts';
import type { ByteLink } from '../wire/byte-link.ts';
import { AnswerFirstSocket, socketLink } from '../wire/socket-link.ts';

const ROUNDS = 15;
const TRIPS = 2000;

if (isMainThread) await main();
else await echo();

async function main(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const [port = 0]: number[] = await once(worker, 'message');
  for (const bytes of [256, 1200, 60_000]) {
    const open = { port, host: '127.0.0.1' };
    const asStream = await talker(connect(open), streamed, bytes);
    const straight = await talker(connect(open), socketLink, bytes);
    const intake = await talker(new AnswerFirstSocket({}).connect(open), socketLink, bytes);
    const rounds: Record<'asStream' | 'straight' | 'intake', number>[] = [];
    for (let i = 0; i < ROUNDS; i++)
      rounds.push({ asStream: await asStream(), straight: await straight(), intake: await intake() });
    const told = (way: 'straight' | 'intake') => {
      const ratio = median(rounds.map((round) => round.asStream / round[way]));
      return `${way} ${median(rounds.map((round) => round[way])).toFixed(1)} µs, ${ratio.toFixed(2)}x`;
    };
    const before = median(rounds.map((round) => round.asStream)).toFixed(1);
    console.log(`${bytes} bytes there and back: as a stream ${before} µs; ${told('straight')}; ${told('intake')}`);
  }
  await worker.terminate();
  process.exit();
}

/** The platform's own way: what comes passes through a stream. */
function streamed(socket: Socket): Pick<ByteLink, 'write' | 'listen'> {
  socket.setNoDelay(true);
  return {
    write: (bytes) => socket.write(bytes),
    listen: ({ data }) => void socket.on('data', data),
  };
}

/** Does a round of trips, and says what one has cost. */
async function talker(
  socket: Socket,
  linkOf: (socket: Socket) => Pick<ByteLink, 'write' | 'listen'>,
  bytes: number,
): Promise<() => Promise<number>> {
  await once(socket, 'connect');
  const link = linkOf(socket);
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
