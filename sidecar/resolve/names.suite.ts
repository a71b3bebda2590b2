// What every maker of Names promises, as tests that each of them runs beside its own.
import { expect, test } from 'vitest';
import { type Identity, parseAppId, parseNamespace, parseTrustDomain, type Target } from '../../api/ids.ts';
import { must } from '../../kit/result.ts';
import type { Announced, Announcement, Names, Resolved, Resolver } from './resolver.ts';

/** Several machines' or processes' worth of Names that see each other, torn down with the test. */
export interface NamesUnderTest {
  /** Another participant; the first call and the second give two that have to find each other. */
  open(): Promise<Names>;
  close(): Promise<void>;
}

export function target(app: string, namespace = 'default'): Target {
  return { app: must(parseAppId(app)), namespace: must(parseNamespace(namespace)) };
}

export function identity(app: string, namespace = 'default'): Identity {
  return { ...target(app, namespace), trustDomain: must(parseTrustDomain('cluster.local')) };
}

export function announcement(app: string, peerPort: number, namespace = 'default'): Announcement {
  return {
    identity: identity(app, namespace),
    peer: { host: '127.0.0.1', port: peerPort },
    httpPort: 3500,
    appPort: 80,
  };
}

/** The answer, after the wait if there is one. */
export function settled(names: Resolver, wanted: Target): Promise<Resolved> {
  const resolution = names.resolve(wanted);
  if (resolution.kind !== 'miss') return Promise.resolve(resolution);
  return new Promise((resolve) => resolution.wait(resolve));
}

/** The ports where `wanted` is, in ascending order; empty while it is nowhere. */
export async function portsOf(names: Resolver, wanted: Target): Promise<readonly number[]> {
  const resolved = await settled(names, wanted);
  const endpoints = resolved.kind === 'found' ? resolved.upstream.endpoints() : [];
  return endpoints.map((endpoint) => endpoint.port).sort((a, b) => a - b);
}

/** Asks until the answer is as expected; a promise that is broken ends as the test's timeout. */
export async function until<T>(ask: () => Promise<T> | T, isExpected: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isExpected(answer)) return answer;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export function ready(announced: Announced): Announced {
  announced.setReady(true);
  return announced;
}

function untilPorts(names: Resolver, wanted: Target, ports: readonly number[]): Promise<readonly number[]> {
  return until(
    () => portsOf(names, wanted),
    (found) => JSON.stringify(found) === JSON.stringify(ports),
  );
}

export function promisesOfNames(open: () => Promise<NamesUnderTest>): void {
  const scenario = (says: string, run: (names: NamesUnderTest) => Promise<void>) =>
    test(says, async () => {
      const names = await open();
      try {
        await run(names);
      } finally {
        await names.close();
      }
    });

  scenario('an app is found once it is ready, and not before', async (names) => {
    const [here, there] = [await names.open(), await names.open()];
    const announced = there.announce(announcement('web', 5001));
    expect(await portsOf(here, target('web'))).toEqual([]);
    announced.setReady(true);
    await untilPorts(here, target('web'), [5001]);
  });

  scenario('a name that is known is answered without waiting', async (names) => {
    const [here, there] = [await names.open(), await names.open()];
    ready(there.announce(announcement('web', 5001)));
    await untilPorts(here, target('web'), [5001]);
    expect(here.resolve(target('web')).kind).toBe('found');
  });

  scenario('an upstream that was handed out follows instances that come and go', async (names) => {
    const [here, there] = [await names.open(), await names.open()];
    const first = ready(there.announce(announcement('web', 5001)));
    await untilPorts(here, target('web'), [5001]);
    const resolved = await settled(here, target('web'));
    if (resolved.kind !== 'found') return expect.fail(resolved.fault.message);
    const ports = () => resolved.upstream.endpoints().map((endpoint) => endpoint.port);

    ready(there.announce(announcement('web', 5002)));
    ready((await names.open()).announce(announcement('web', 5003)));
    await until(ports, (found) => found.length === 3);
    first.withdraw();
    await until(ports, (found) => found.length === 2 && !found.includes(5001));
  });

  scenario('an instance that is no longer ready is not used, and comes back', async (names) => {
    const [here, there] = [await names.open(), await names.open()];
    ready(there.announce(announcement('web', 5001)));
    const second = ready(there.announce(announcement('web', 5002)));
    await untilPorts(here, target('web'), [5001, 5002]);
    second.setReady(false);
    await untilPorts(here, target('web'), [5001]);
    second.setReady(true);
    await untilPorts(here, target('web'), [5001, 5002]);
  });

  scenario('the same name in another namespace is another app', async (names) => {
    const [here, there] = [await names.open(), await names.open()];
    ready(there.announce(announcement('web', 5001, 'shop')));
    ready(there.announce(announcement('web', 5002, 'lab')));
    await untilPorts(here, target('web', 'shop'), [5001]);
    await untilPorts(here, target('web', 'lab'), [5002]);
    const elsewhere = await settled(here, target('web', 'default'));
    expect(elsewhere.kind === 'absent' && elsewhere.fault.code).toBe('unknown-app');
  });

  scenario('a name taken back is gone, and taking it back twice is harmless', async (names) => {
    const [here, there] = [await names.open(), await names.open()];
    const announced = ready(there.announce(announcement('web', 5001)));
    await untilPorts(here, target('web'), [5001]);
    announced.withdraw();
    announced.withdraw();
    announced.setReady(true);
    await untilPorts(here, target('web'), []);
  });

  scenario('a name nobody announced is unknown, and the message says what to do', async (names) => {
    const here = await names.open();
    const resolved = await settled(here, target('nobody'));
    if (resolved.kind === 'found') return expect.fail('found an app that nobody announced');
    expect(resolved.fault.code).toBe('unknown-app');
    expect(resolved.fault.message).toContain('invokectl run --app-id nobody');
  });

  scenario('a wait that was cancelled never calls back', async (names) => {
    const here = await names.open();
    const cancelled = here.resolve(target('web'));
    if (cancelled.kind !== 'miss') return expect.fail('a name was known before anybody announced it');
    cancelled.wait(() => expect.fail('called back after the cancel'))();
    await settled(here, target('web'));
  });
}
