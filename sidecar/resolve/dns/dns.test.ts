// The DNS client against a real name server on real sockets: what it believes, whom it asks next, and when it gives up.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../kit/clock.ts';
import { manualClock } from '../../../kit/testing/clock.ts';
import { openDnsClient } from './client.ts';
import { encodeQuery, readReply } from './message.ts';
import { nameServersOf, parseResolvConf } from './resolv-conf.ts';
import { lookUpService } from './service.ts';
import {
  nxdomain,
  reply,
  type Script,
  SERVFAIL,
  service,
  serviceReply,
  silence,
  soa,
  startNameServer,
  truncated,
} from './testing-server.ts';

const NAME = '_invoke-peer._tcp.orders-invoke.shop.svc.cluster.local.';
const SRV = { name: NAME, type: 'SRV' } as const;

async function serverThat(answers: Script) {
  const server = await startNameServer(answers);
  onTestFinished(() => server.close());
  return server;
}

function clientOf(...servers: readonly { host: string; port: number }[]) {
  return openDnsClient({ servers: () => servers, clock: systemClock });
}

const soon = () => systemClock.elapsed() + 4000;

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const probe = createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise<void>((done) => probe.close(done));
  return port;
}

describe('a name server', () => {
  test('is asked with EDNS0, from another port and with another id each time', async () => {
    const server = await serverThat(service([5001]));
    const client = clientOf(server);
    for (let i = 0; i < 8; i++) await client.ask(SRV, soon());
    expect(server.asked.every(({ udpPayloadBytes }) => udpPayloadBytes === 1232)).toBe(true);
    expect(new Set(server.asked.map(({ port }) => port)).size).toBeGreaterThan(4);
    expect(new Set(server.asked.map(({ id }) => id)).size).toBeGreaterThan(4);
  });

  test('is asked over TCP when its answer does not fit a datagram', async () => {
    const ports = Array.from({ length: 200 }, (_, i) => 5000 + i);
    const server = await serverThat((asked) => (asked.over === 'udp' ? [truncated(asked)] : service(ports)(asked)));
    const answer = await lookUpService(NAME, clientOf(server), soon());
    expect(answer.kind === 'found' && answer.endpoints.map(({ port }) => port)).toEqual(ports);
    expect(server.asked.map(({ over }) => over)).toEqual(['udp', 'tcp']);
  });

  test('is not believed when it answers another id, another question, or with garbage; the true answer still counts', async () => {
    const server = await serverThat((asked) => {
      const { answers = [], additionals = [] } = serviceReply(asked, [666]);
      const lie = { answers, additionals };
      return [
        reply({ ...asked, id: asked.id ^ 1 }, lie),
        reply({ ...asked, question: { ...asked.question, name: 'other.test' } }, lie),
        reply({ ...asked, question: { ...asked.question, type: 'A' } }, lie),
        reply(asked, { ...lie, type: 'query' }),
        reply(asked, { ...lie, questions: [] }),
        Buffer.from('no dns at all'),
        serviceReply(asked, [5001]),
      ];
    });
    expect(await lookUpService(NAME, clientOf(server), soon())).toMatchObject({ endpoints: [{ port: 5001 }] });
  });

  test('is the only one heard: the right answer from another socket is not', async () => {
    const stranger = createSocket('udp4').bind(0, '127.0.0.1');
    await once(stranger, 'listening');
    onTestFinished(() => void stranger.close());
    const lied = Promise.withResolvers<void>();
    const server = await serverThat((asked) => {
      stranger.send(encode(serviceReply(asked, [666])), asked.port, '127.0.0.1', () => lied.resolve());
      return [];
    });
    const honest = await serverThat(service([5001]));
    const clock = manualClock();
    const client = openDnsClient({ servers: () => [server, honest], clock });
    const answer = lookUpService(NAME, client, clock.elapsed() + 4000);
    await lied.promise;
    for (let turn = 0; turn < 3; turn++) await new Promise((next) => setImmediate(next));
    clock.advance(1000);
    expect(await answer).toMatchObject({ endpoints: [{ port: 5001 }] });
  });

  test.each([
    ['fails', (asked) => [reply(asked, { rcode: SERVFAIL })]],
    ['cuts its answer short over TCP, too', (asked) => [truncated(asked)]],
    [
      'answers another question over TCP',
      (asked) => [asked.over === 'udp' ? truncated(asked) : reply({ ...asked, id: asked.id ^ 1 })],
    ],
  ] satisfies readonly [string, Script][])('that %s is followed by the next', async (_how, script) => {
    const [broken, sound] = [await serverThat(script), await serverThat(service([5001]))];
    expect(await clientOf(broken, sound).ask(SRV, soon())).toMatchObject({ ok: true, value: { kind: 'records' } });
  });

  test('where nobody listens is followed by the next at once', async () => {
    const sound = await serverThat(service([5001]));
    const clock = manualClock();
    const servers = [{ host: '127.0.0.1', port: await closedPort() }, sound];
    const client = openDnsClient({ servers: () => servers, clock });
    expect((await client.ask(SRV, clock.elapsed() + 4000)).ok).toBe(true);
  });

  test('that is silent for a second is followed by the next, and by itself, until time is up', async () => {
    const [first, second] = [await serverThat(silence), await serverThat(silence)];
    const clock = manualClock();
    const client = openDnsClient({ servers: () => [first, second], clock });
    const asking = client.ask(SRV, clock.elapsed() + 3500);
    await first.whenAsked(1);
    clock.advance(999);
    expect(second.asked).toHaveLength(0);
    clock.advance(1);
    await second.whenAsked(1);
    clock.advance(1000);
    while (clock.waiting()[0] !== 200) await new Promise((turn) => setImmediate(turn));
    clock.advance(200);
    await first.whenAsked(2);
    clock.advance(1000);
    await second.whenAsked(2);
    clock.advance(300);
    expect(await asking).toEqual({
      ok: false,
      error: 'the name server 127.0.0.1 cannot tell: it did not answer within 300 ms',
    });
  });

  test('that nobody has configured is missed', async () => {
    const clock = manualClock();
    expect(await openDnsClient({ servers: () => [], clock }).ask(SRV, clock.elapsed())).toMatchObject({ ok: false });
  });
});

describe('a service', () => {
  const lookUp = async (script: Script) => lookUpService(NAME, clientOf(await serverThat(script)), soon());
  const srv = (target: string, ttl = 5) => ({ type: 'SRV', name: NAME, ttl, data: { port: 50002, target } }) as const;

  test('is all addresses of all its targets, each once, for as long as the shortest record lives', async () => {
    const answer = await lookUp((asked) => [
      reply(asked, {
        answers: [srv('b.test', 20), srv('A.test', 30), srv('a.TEST', 30)],
        additionals: [
          { type: 'A', name: 'b.test', ttl: 9, data: '10.0.0.2' },
          { type: 'A', name: 'a.test', ttl: 30, data: '10.0.0.1' },
          { type: 'AAAA', name: 'a.test', ttl: 30, data: 'fd00::1' },
          { type: 'A', name: 'stranger.test', ttl: 1, data: '6.6.6.6' },
        ],
      }),
    ]);
    const endpoints = ['10.0.0.1', '10.0.0.2', 'fd00::1'].map((host) => ({ host, port: 50002 }));
    expect(answer).toEqual({ kind: 'found', endpoints, ttlMs: 9000 });
  });

  test('whose addresses do not come along is asked for them', async () => {
    const answer = await lookUp((asked) => {
      const { name, type } = asked.question;
      if (type === 'SRV') return [reply(asked, { answers: [srv('a.test'), srv('gone.test')] })];
      if (name !== 'a.test') return nxdomain(asked);
      if (type === 'A') return [reply(asked, { authorities: [soa(5)] })];
      return [reply(asked, { answers: [{ type: 'AAAA', name, ttl: 3, data: 'fd00::1' }] })];
    });
    expect(answer).toEqual({ kind: 'found', endpoints: [{ host: 'fd00::1', port: 50002 }], ttlMs: 3000 });
  });

  test('that DNS does not know is none, for as long as the SOA says', async () => {
    const gone: Script = (asked) => [reply(asked, { rcode: 3, authorities: [soa(30, 4)] })];
    expect(await lookUp(gone)).toEqual({ kind: 'none', ttlMs: 4000 });
    expect(await lookUp((asked) => [reply(asked, { authorities: [soa(2, 9)] })])).toEqual({
      kind: 'none',
      ttlMs: 2000,
    });
    expect(await lookUp((asked) => [reply(asked)])).toEqual({ kind: 'none', ttlMs: 0 });
  });

  test('that is said not to be offered is none', async () => {
    expect(await lookUp((asked) => [reply(asked, { answers: [srv('.')] })])).toEqual({ kind: 'none', ttlMs: 0 });
  });

  test('that nobody can tell of is not taken for none', async () => {
    const clock = manualClock();
    const server = await serverThat((asked) => [reply(asked, { rcode: SERVFAIL })]);
    const client = openDnsClient({ servers: () => [server], clock });
    expect(await lookUpService(NAME, client, clock.elapsed() + 100)).toEqual({
      kind: 'failed',
      reason: 'the name server 127.0.0.1 cannot tell: it says SERVFAIL',
    });
  });
});

describe('a message', () => {
  const query = { id: 7, name: NAME, type: 'SRV' } as const;

  test('of any bytes is read or refused, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(readReply(Buffer.from(bytes), query)?.kind).not.toBe('records');
      }),
    );
  });

  test('with bytes changed, cut or doubled is read or refused, and never throws', () => {
    const asked = {
      over: 'udp',
      id: 7,
      port: 1,
      udpPayloadBytes: 1232,
      question: { name: NAME, type: 'SRV' },
    } as const;
    const whole = encode(serviceReply(asked, [5001, 5002]));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, value, length) => {
        const bytes = Buffer.from(whole.subarray(0, length));
        if (at < length) bytes[at] = value;
        readReply(bytes, query);
      }),
    );
    expect(readReply(whole, query)?.kind).toBe('records');
  });

  test('asks one question of the class IN, as another implementation of the codec would read it', () => {
    const { questions, id, flag_rd } = decode(encodeQuery(query));
    expect({ questions, id, flag_rd }).toEqual({
      questions: [{ name: NAME.slice(0, -1), type: 'SRV', class: 'IN' }],
      id: 7,
      flag_rd: true,
    });
  });
});

describe('resolv.conf', () => {
  test('gives its first three name servers, whatever else stands there', () => {
    const text = [
      '# nameserver 1.1.1.1',
      'search shop.svc.cluster.local svc.cluster.local',
      'nameserver 10.96.0.10',
      '  nameserver\tfd00::a   # the other',
      'nameserver dns.example',
      'nameserver 10.0.0.1',
      'nameserver 10.0.0.2',
      'options ndots:5',
    ].join('\n');
    const hosts = parseResolvConf(text).map(({ host, port }) => `${host} ${port}`);
    expect(hosts).toEqual(['10.96.0.10 53', 'fd00::a 53', '10.0.0.1 53']);
  });

  test('is read again when it has changed, and the last good one holds while there is none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'invoke-dns-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'resolv.conf');
    const servers = nameServersOf(path);
    const hosts = () => servers().map(({ host }) => host);
    expect(hosts()).toEqual([]);
    writeFileSync(path, 'nameserver 10.0.0.1\n');
    expect(hosts()).toEqual(['10.0.0.1']);
    writeFileSync(`${path}.new`, 'nameserver 10.0.0.2\n');
    renameSync(`${path}.new`, path);
    expect(hosts()).toEqual(['10.0.0.2']);
    rmSync(path);
    expect(hosts()).toEqual(['10.0.0.2']);
  });
});
