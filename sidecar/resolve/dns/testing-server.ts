// For tests: a name server on loopback, over UDP and TCP, that answers as it is told: truths, lies and nothing at all.
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  type Question,
  streamEncode,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import type { NameServer } from './resolv-conf.ts';

/** One question as it came in. */
export interface Asked {
  readonly over: 'udp' | 'tcp';
  readonly id: number;
  readonly question: Question;
  /** Of the asker. */
  readonly port: number;
  /** What the query says that a datagram may hold. */
  readonly udpPayloadBytes: number | undefined;
}

/** What goes back, in order: each a message, or bytes as they are. */
export type Script = (asked: Asked) => readonly (Packet | Buffer)[];

export interface TestNameServer extends NameServer {
  /** Every question so far. */
  readonly asked: readonly Asked[];
  answer: Script;
  /** Settles once as many questions as this have come. */
  whenAsked(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startNameServer(answer: Script = nxdomain): Promise<TestNameServer> {
  const asked: Asked[] = [];
  let arrived = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const udp = createSocket('udp4');
  const tcp = createServer();
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as { port: number };
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');

  const server: TestNameServer = {
    ...{ host: '127.0.0.1', port, asked, answer },
    async whenAsked(count) {
      while (asked.length < count) await arrived.promise;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      udp.close();
      await new Promise((done) => tcp.close(done));
    },
  };
  const heard = (over: Asked['over'], query: Packet, fromPort: number): Asked => {
    const [question = { type: 'A', name: '.' }] = query.questions ?? [];
    const opt = query.additionals?.find((record) => record.type === 'OPT');
    const one: Asked = { over, id: query.id ?? 0, question, port: fromPort, udpPayloadBytes: opt?.udpPayloadSize };
    asked.push(one);
    arrived.resolve();
    arrived = Promise.withResolvers();
    return one;
  };
  udp.on('message', (bytes: Buffer, { port: fromPort, address }: RemoteInfo) => {
    for (const reply of server.answer(heard('udp', decode(bytes), fromPort)))
      udp.send(Buffer.isBuffer(reply) ? reply : encode(reply), fromPort, address);
  });
  tcp.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    socket.once('data', (bytes: Buffer) => {
      for (const reply of server.answer(heard('tcp', decode(bytes.subarray(2)), socket.remotePort ?? 0)))
        socket.write(Buffer.isBuffer(reply) ? reply : streamEncode(reply));
    });
  });
  return server;
}

/** A whole answer to the question; `more` overrides any part of it. */
export function reply({ id, question }: Asked, more: Packet & { readonly rcode?: number } = {}): Packet {
  const { rcode = 0, flags = 0, ...parts } = more;
  return { type: 'response', id, flags: AUTHORITATIVE_ANSWER | rcode | flags, questions: [question], ...parts };
}

export const SERVFAIL = 2;
const NXDOMAIN = 3;

export function soa(ttlSec: number, minimum = ttlSec): Answer {
  const data = { mname: 'ns.dns.test', rname: 'hostmaster.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum };
  return { type: 'SOA', name: 'cluster.local', ttl: ttlSec, data };
}

export function nxdomain(asked: Asked): readonly Packet[] {
  return [reply(asked, { rcode: NXDOMAIN, authorities: [soa(5)] })];
}

export const silence: Script = () => [];

/** As CoreDNS answers for a headless Service: an SRV record and an address for each pod. */
export function serviceReply(asked: Asked, ports: readonly number[], ttlSec = 5): Packet {
  const { name } = asked.question;
  const target = (port: number) => `pod-${port}.${name}`;
  return reply(asked, {
    answers: ports.map((port) => ({ type: 'SRV', name, ttl: ttlSec, data: { port, target: target(port) } })),
    additionals: ports.map((port) => ({ type: 'A', name: target(port), ttl: ttlSec, data: '127.0.0.1' })),
  });
}

export function service(ports: readonly number[], ttlSec?: number): Script {
  return (asked) => [serviceReply(asked, ports, ttlSec)];
}

export function truncated(asked: Asked): Packet {
  return reply(asked, { flags: TRUNCATED_RESPONSE });
}
