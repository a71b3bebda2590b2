// What one small call costs in JavaScript alone: two sidecars, an app and 32 clients in one process, on byte streams in memory.
// No kernel, no TLS: what is left is what this project can do something about, and a busy machine hardly shows in it.
//
//   node bench/call.bench.ts [calls] [bytes]    add --cpu-prof to node's arguments to see where the time goes
import { cpuUsage } from 'node:process';
import { closedRequest, type ReplyEnd, type RequestEnd } from '../api/exchange.ts';
import { fault } from '../api/fault.ts';
import { parseAppId, parseNamespace, parseTrustDomain } from '../api/ids.ts';
import { systemClock } from '../kit/clock.ts';
import { HeldBytes } from '../kit/held-bytes.ts';
import { silentLog } from '../kit/log.ts';
import { err, must } from '../kit/result.ts';
import { BUILT_IN } from '../policy/resiliency/plan.ts';
import { callLog, observers } from '../sidecar/admin/call-log.ts';
import { callMetrics } from '../sidecar/admin/call-metrics.ts';
import type { AppConnection, AppPool } from '../sidecar/app/pool.ts';
import type { PermittedCall } from '../sidecar/authorize/authorize.ts';
import { AppHttp, type AppHttpDeps } from '../sidecar/edge/app-http.ts';
import { servePeerCall } from '../sidecar/edge/peer-exchange.ts';
import { NOTHING_OUTSIDE } from '../sidecar/external/outside.ts';
import { Targets } from '../sidecar/resilience/targets.ts';
import { openStaticList } from '../sidecar/resolve/static-list.ts';
import { permitsAll } from '../sidecar/testing/permitted.ts';
import { openApp } from '../sidecar/transport/app.ts';
import { openPeer } from '../sidecar/transport/peer.ts';
import type { PeerConnection } from '../sidecar/transport/peer-connection.ts';
import { forwardedHeaders } from '../sidecar/transport/peer-head.ts';
import { Flights } from '../sidecar/way/flights.ts';
import { inboundWay } from '../sidecar/way/inbound.ts';
import { outboundWay } from '../sidecar/way/outbound.ts';
import type { ByteLink, ByteLinkEvents } from '../wire/byte-link.ts';
import { httpServer, type ServeOn } from '../wire/http-server.ts';
import { http1Client } from '../wire/http1/client.ts';
import { http2Client } from '../wire/http2/client.ts';
import { http2Server } from '../wire/http2/server.ts';

const CLIENTS = 32;
const ROUNDS = 9;
const clock = systemClock;
const random = Math.random;
const trustDomain = must(parseTrustDomain('bench.test'));
const namespace = must(parseNamespace('default'));
const WEB = { app: must(parseAppId('web')), namespace, trustDomain };
const SHOP = { app: must(parseAppId('shop')), namespace, trustDomain };

const CALLS = Number(process.argv[2] ?? 20_000);
const BODY = Buffer.alloc(Number(process.argv[3] ?? 1024), 'x');
/** What a read of a socket gives at most, and of TLS. */
const READ_BYTES = 64 * 1024;
const RECORD_BYTES = 16 * 1024;
const REQUEST = Buffer.concat([
  Buffer.from(
    'POST /v1.0/invoke/shop/method/orders/17?trace=yes HTTP/1.1\r\nhost: localhost:3500\r\nuser-agent: bench/1.0\r\n' +
      'accept: */*\r\naccept-encoding: gzip, deflate\r\ncontent-type: application/json\r\n' +
      `x-request-id: 0190b0c4-7f1d-7000-8000-1f2e3d4c5b6a\r\ncontent-length: ${BODY.length}\r\n\r\n`,
  ),
  BODY,
]);
const ANSWER = Buffer.concat([
  Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Sat, 21 Nov 2026 10:00:00 GMT\r\ncontent-length: ${BODY.length}\r\n\r\n`,
  ),
  BODY,
]);

/** One end of a byte stream. What is written in a turn arrives in the next, in pieces as large as a read of the platform gives. */
class MemoryLink implements ByteLink {
  far: MemoryLink | undefined;
  events: ByteLinkEvents | undefined;
  readonly #pieceBytes: number;
  #unread: Buffer[] = [];

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  listen(events: ByteLinkEvents): void {
    this.events = events;
  }

  write(bytes: Buffer): boolean {
    const { far } = this;
    if (far === undefined) return true;
    if (far.#unread.push(bytes) === 1) setImmediate(deliver, far);
    return true;
  }

  deliver(): void {
    const chunks = this.#unread;
    this.#unread = [];
    const [first] = chunks;
    const all = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
    for (let at = 0; at < all.length; at += this.#pieceBytes)
      this.events?.data(all.subarray(at, at + this.#pieceBytes));
  }

  end(): void {}
  pause(): void {}
  resume(): void {}
  destroy(): void {}
}

function deliver(link: MemoryLink): void {
  link.deliver();
}

function linkPair(pieceBytes = READ_BYTES): [MemoryLink, MemoryLink] {
  const [near, far] = [new MemoryLink(pieceBytes), new MemoryLink(pieceBytes)];
  near.far = far;
  far.far = near;
  return [near, far];
}

/** The app: as soon as a request is whole, an answer goes. */
function app(): MemoryLink {
  const [near, far] = linkPair();
  const events = { drained: () => undefined, ended: () => undefined, closed: () => undefined };
  far.listen({ ...events, data: whenWhole(() => void far.write(ANSWER)) });
  return near;
}

/** Calls `done` with the first piece of each message whose body has arrived. */
function whenWhole(done: (head: Buffer) => void): (chunk: Buffer) => void {
  let head: Buffer | undefined;
  let leftBytes = 0;
  return (chunk) => {
    if (head === undefined) {
      head = chunk;
      leftBytes = chunk.indexOf('\r\n\r\n') + 4 + BODY.length;
    }
    leftBytes -= chunk.length;
    if (leftBytes > 0) return;
    const whole = head;
    head = undefined;
    done(whole);
  };
}

/** What a call needs of a part whose connections lead to memory. */
function standIn<Part>(needed: Partial<Part>): Part {
  return needed as Part;
}

function appPool(): AppPool {
  const idle: AppConnection[] = [];
  const connect = () => {
    const client = http1Client(app(), { elapsedMs: () => clock.elapsed() });
    return standIn<AppConnection>({ request: (head, receiver) => client.request(head, receiver) });
  };
  return standIn<AppPool>({
    ...{ authority: '127.0.0.1:8080', port: 8080 },
    take: () => idle.pop() ?? connect(),
    release: (connection) => void idle.push(connection),
  });
}

class MemoryEdge extends AppHttp {
  open(link: ByteLink): void {
    const serve: ServeOn = (head, responder, connection) => this.serve(head, responder, connection);
    httpServer(link, serve, { clock, http2: {} });
  }
}

function flights(): Flights {
  return new Flights(clock, observers(callMetrics('bench'), callLog(silentLog)));
}

/** The sidecar of the app, and the connection to it. */
function callee(): PeerConnection {
  const deps = { clock, pool: appPool(), token: undefined };
  const open = inboundWay({
    flights: flights(),
    grounds: { problem: () => undefined },
    authorizer: permitsAll(SHOP),
    limits: { admission: undefined },
    transport: { app: (call: PermittedCall, reply: ReplyEnd): RequestEnd => openApp(call, reply, deps) },
  });
  const peer = { open, self: SHOP, caller: WEB, bodyBytesMax: 4 << 20, clock, held: new HeldBytes(32 << 20) };
  const [near, far] = linkPair(RECORD_BYTES);
  const events = { closed: () => undefined };
  http2Server(far, (head, responder) => servePeerCall(head, responder, false, peer), events, { clock });
  return standIn<PeerConnection>({ ready: http2Client(near, events, { clock }), speaksUnaryOnly: false });
}

/** The sidecar of the caller. */
function caller(connection: PeerConnection): MemoryEdge {
  const link = { clock, forwarded: forwardedHeaders({ address: '10.0.0.1', hostName: 'web-0' }) };
  const open = outboundWay({
    flights: flights(),
    own: { problem: () => undefined },
    authorizer: permitsAll(WEB),
    resolver: openStaticList([{ target: SHOP, addresses: [{ host: '10.0.0.2', port: 50002 }] }]),
    resilience: { clock, random, targets: new Targets(() => BUILT_IN, random, clock) },
    transport: { peer: (call, _endpoint, reply) => openPeer(call, connection, reply, link) },
    external: { rules: () => err(fault('denied', 'nobody calls out here')), transport: () => closedRequest },
    inbound: () => {
      throw new Error('nobody calls itself here');
    },
  });
  const rules = { apiToken: undefined, allowedOrigins: [], allowedHosts: [] };
  const deps: AppHttpDeps = {
    ...{
      open,
      self: WEB,
      bodyBytesMax: 4 << 20,
      hopsMax: 32,
      statuses: 'honest',
      clock,
      random,
      log: silentLog,
      rules,
    },
    upgradeProtocols: [],
    routes: [],
    outside: NOTHING_OUTSIDE.rules,
    countOffence: () => undefined,
  };
  return new MemoryEdge(deps);
}

const OK = Buffer.from('HTTP/1.1 200');

/** Each client sends its next request when it has its answer, until so many are answered. */
function run(links: readonly MemoryLink[], calls: number): Promise<void> {
  return new Promise((done, failed) => {
    let left = calls;
    for (const link of links) {
      const data = whenWhole((head) => {
        if (!head.subarray(0, 12).equals(OK)) failed(new Error(head.toString('latin1')));
        left--;
        if (left === 0) done();
        else if (left >= links.length) link.write(REQUEST);
      });
      link.events = { data, drained: () => undefined, ended: () => undefined, closed: () => undefined };
      link.write(REQUEST);
    }
  });
}

async function main(): Promise<void> {
  const edge = caller(callee());
  const links = Array.from({ length: CLIENTS }, () => {
    const [near, far] = linkPair();
    edge.open(far);
    return near;
  });
  await run(links, CALLS);
  const micros: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = cpuUsage();
    await run(links, CALLS);
    const { user, system } = cpuUsage(before);
    micros.push((user + system) / CALLS);
  }
  micros.sort((a, b) => a - b);
  const [least = 0, middle = 0, most = 0] = [micros[0], micros[ROUNDS >> 1], micros.at(-1)];
  console.log(
    `${middle.toFixed(1)} µs of CPU a call (${least.toFixed(1)} to ${most.toFixed(1)}), ${ROUNDS} rounds of ${CALLS}`,
  );
}

await main();
