// One question to one name server: over UDP from a port that the kernel picks anew each time, and over TCP when the
// answer does not fit a datagram.
//
// The sockets are connected, so the kernel drops what comes from another address, and says at once that nobody listens.
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../../../kit/clock.ts';
import { messageOf } from '../../../kit/errors.ts';
import { err, ok, type Result } from '../../../kit/result.ts';
import { encodeQuery, type Query, type Reply, readReply } from './message.ts';
import type { NameServer } from './resolv-conf.ts';

/** What a name server knows of a question. */
export type Known = Extract<Reply, { readonly kind: 'records' | 'nxdomain' | 'nodata' }>;

/** Whichever way: what the server knows, or why it is of no help. */
export async function exchange(
  server: NameServer,
  query: Query,
  timeoutMs: number,
  clock: Clock,
): Promise<Result<Known>> {
  const endMs = clock.elapsed() + timeoutMs;
  const brief = await overUdp(server, query, timeoutMs, clock);
  if (!brief.ok || brief.value.kind !== 'truncated') return knowledge(brief);
  return knowledge(await overTcp(server, query, endMs - clock.elapsed(), clock));
}

function knowledge(reply: Result<Reply>): Result<Known> {
  if (!reply.ok) return reply;
  if (reply.value.kind === 'failed') return err(`it says ${reply.value.code}`);
  return reply.value.kind === 'truncated' ? err('it cut its answer short, over TCP too') : ok(reply.value);
}

/** Waits past whatever is no answer to this query: somebody may be guessing. */
function overUdp({ host, port }: NameServer, query: Query, timeoutMs: number, clock: Clock): Promise<Result<Reply>> {
  return new Promise((settle) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const done = (outcome: Result<Reply>) => {
      cancel();
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      settle(outcome);
    };
    const cancel = clock.after(timeoutMs, () => done(err(silence(timeoutMs))));
    socket.on('error', (error) => done(err(messageOf(error))));
    socket.on('message', (bytes) => {
      const reply = readReply(bytes, query);
      if (reply !== undefined) done(ok(reply));
    });
    socket.on('connect', () => socket.send(encodeQuery(query)));
    socket.connect(port, host);
  });
}

const LENGTH_BYTES = 2;

/** The same messages, each after its length in two bytes (RFC 7766). */
function overTcp({ host, port }: NameServer, query: Query, timeoutMs: number, clock: Clock): Promise<Result<Reply>> {
  return new Promise((settle) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const done = (outcome: Result<Reply>) => {
      cancel();
      socket.destroy();
      settle(outcome);
    };
    const cancel = clock.after(timeoutMs, () => done(err(silence(timeoutMs))));
    socket.on('error', (error) => done(err(messageOf(error))));
    socket.on('close', () => done(err('it closed the connection before it had answered')));
    socket.on('connect', () => {
      const message = encodeQuery(query);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt16BE(message.length);
      socket.write(Buffer.concat([length, message]));
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < LENGTH_BYTES) return;
      const end = LENGTH_BYTES + received.readUInt16BE();
      if (received.length < end) return;
      const reply = readReply(received.subarray(LENGTH_BYTES, end), query);
      done(reply === undefined ? err('it answered another question than ours') : ok(reply));
    });
  });
}

function silence(timeoutMs: number): string {
  return `it did not answer within ${Math.round(timeoutMs)} ms`;
}
