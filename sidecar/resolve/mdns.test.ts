// Names on one network: what every source of names promises, and what multicast adds to it.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Bonjour } from 'bonjour-service';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { openMdns } from './mdns.ts';
import { announcement, portsOf, promisesOfNames, ready, settled, target, until } from './names.suite.ts';
import type { Names } from './resolver.ts';

/** A network of its own: the loopback interface, and a port on which nobody else speaks. */
async function network() {
  const probe = createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  const all: Names[] = [];
  return {
    port,
    async open(clock = systemClock): Promise<Names> {
      const names = must(await openMdns({ interfaceAddress: '127.0.0.1', port, clock, log: silentLog }));
      all.push(names);
      return names;
    },
    close: async () => {
      for (const names of all) names.close();
    },
  };
}

/** Somebody else's program on the same network. */
function stranger(port: number) {
  const settings = { interface: '127.0.0.1', bind: '0.0.0.0', port };
  const bonjour = new Bonjour(settings);
  let isThere = true;
  const leaveSilently = () => {
    if (isThere) bonjour.destroy();
    isThere = false;
  };
  onTestFinished(leaveSilently);
  const publish = (name: string, servicePort: number, txt: object) =>
    bonjour.publish({ name, type: 'invoke', port: servicePort, txt, probe: false });
  return { publish, leaveSilently };
}

promisesOfNames(network);

test('an instance that fell silent is forgotten, and one that answers is kept', async () => {
  const net = await network();
  onTestFinished(net.close);
  let laterMs = 0;
  const here = await net.open({ ...systemClock, elapsed: () => systemClock.elapsed() + laterMs });
  const crashing = stranger(net.port);
  crashing.publish('crashing', 5001, { app: 'web', ns: 'default', td: 'cluster.local' });
  ready((await net.open()).announce(announcement('web', 5002)));
  await until(
    () => portsOf(here, target('web')),
    (ports) => ports.length === 2,
  );
  crashing.leaveSilently();
  expect(await portsOf(here, target('web'))).toEqual([5001, 5002]);
  await until(
    () => {
      // Its last words may still be on their way.
      laterMs += 60_000;
      return portsOf(here, target('web'));
    },
    (ports) => ports.join() === '5002',
  );
});

test('closing says goodbye', async () => {
  const net = await network();
  onTestFinished(net.close);
  const [here, there] = [await net.open(), await net.open()];
  ready(there.announce(announcement('web', 5001)));
  ready(there.announce(announcement('web', 5002)));
  await until(
    () => portsOf(here, target('web')),
    (ports) => ports.length === 2,
  );
  there.close();
  await until(
    () => here.resolve(target('web')).kind,
    (kind) => kind === 'miss',
  );
});

test('a name lately gone is told from one never seen', async () => {
  const net = await network();
  onTestFinished(net.close);
  const here = await net.open();
  const announced = ready((await net.open()).announce(announcement('web', 5001)));
  await until(
    () => portsOf(here, target('web')),
    (ports) => ports.length === 1,
  );
  announced.withdraw();
  const resolved = await until(
    () => settled(here, target('web')),
    ({ kind }) => kind === 'absent',
  );
  expect(resolved).toMatchObject({ fault: { code: 'no-endpoint', message: expect.stringContaining('last seen') } });
});

test('what strangers announce in our name without sense is passed over', async () => {
  const net = await network();
  onTestFinished(net.close);
  const here = await net.open();
  const { publish } = stranger(net.port);
  publish('a', 5001, { app: 'Not An App', ns: 'default' });
  publish('b', 5002, { app: 'web' });
  publish('c', 5003, {});
  publish('d', 5004, { app: 'web', ns: 'default' });
  expect(await portsOf(here, target('web'))).toEqual([5004]);
});

test('an interface that is not there is a reason', async () => {
  const opened = await openMdns({ interfaceAddress: '203.0.113.1', clock: systemClock, log: silentLog });
  expect(opened).toEqual({ ok: false, error: expect.stringMatching(/^multicast DNS cannot be used: /) });
});
