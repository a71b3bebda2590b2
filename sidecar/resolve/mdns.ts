// Names on a local network, by multicast DNS (RFC 6762) and service discovery (RFC 6763): every ready instance is a
// service `_invoke._tcp.local` that says in its TXT record which app it is.
//
// Nothing here is proven: whoever answers has to show the certificate of the app when it is called.
//
//   M1. An instance is where its packets come from; the addresses that it might claim are not looked at.
//   M2. An instance says goodbye when it stops. One that cannot is forgotten once it was silent for TTL_MS, although
//       it is asked every ROUND_MS.
//   M3. An instance that is not ready is not announced.
import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { Bonjour, type Browser, type Service } from 'bonjour-service';
import { parseAppId, parseNamespace, type Target, targetName } from '../../api/ids.ts';
import { type Cancel, type Clock, every } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { goneApp, LATELY_MS, thisNetwork, unknownApp } from './absent.ts';
import type { Announced, Announcement, Endpoint, Names, Resolution, Resolved } from './resolver.ts';

export interface MdnsOptions {
  /** The address of the one network interface to speak on; undefined: all of them. */
  readonly interfaceAddress: string | undefined;
  /** 5353 wherever others are to be found. */
  readonly port?: number;
  readonly clock: Clock;
  readonly log: Log;
}

const SERVICE_TYPE = 'invoke';
const ROUND_MS = 10_000;
/** Three rounds that went unanswered. */
const TTL_MS = 3 * ROUND_MS + 1000;
const FIRST_ANSWER_MS = 1000;
/** A network that nobody calls into any more is not asked. */
const UNUSED_MAX_MS = 60_000;
/** So many instances are not run on one network; whoever announces more has something else in mind. */
const INSTANCES_MAX = 4096;

/** Names on the network, or a sentence that says why there are none. */
export async function openMdns(options: MdnsOptions): Promise<Result<Names>> {
  const opened = await openBonjour(options);
  if (!opened.ok) return opened;
  const bonjour = opened.value;
  const { clock } = options;
  const instances = openInstances(clock);
  const asking = startAsking(bonjour, instances, clock);
  const announced = new Set<Announced>();
  let isClosed = false;
  return ok({
    resolve(target) {
      asking.use();
      return find(target, instances) ?? missing(target, instances, asking, clock);
    },
    announce(announcement) {
      const own = announce(announcement, bonjour);
      announced.add(own);
      return own;
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      asking.stop();
      // The goodbyes are sent first: a socket that is closed sends nothing more.
      bonjour.unpublishAll(() => bonjour.destroy());
      for (const own of announced) own.withdraw();
    },
  });
}

function openBonjour({ interfaceAddress, port, log }: MdnsOptions): Promise<Result<Bonjour>> {
  const settings = {
    // Bound to the interface's own address, a socket would not be given what is sent to the group.
    bind: '0.0.0.0',
    ...(interfaceAddress === undefined ? {} : { interface: interfaceAddress }),
    ...(port === undefined ? {} : { port }),
  };
  const warn = (error: Error) => log.warn('multicast DNS does not work as it should', { cause: error.message });
  const bonjour = new Bonjour(settings, warn);
  // biome-ignore lint/complexity/useLiteralKeys: the library keeps its socket private, and an error on it would end the process
  const socket: EventEmitter = bonjour['server'].mdns;
  return new Promise((resolve) => {
    // Without an interface of that address nothing would ever be heard; without any network, one may come.
    let obstacle: Error | undefined;
    socket.once('warning', (error: Error) => {
      warn(error);
      if (interfaceAddress !== undefined) obstacle = error;
    });
    const settle = (error: Error | undefined) => {
      if (error === undefined) return resolve(ok(bonjour));
      bonjour.destroy();
      return resolve(err(`multicast DNS cannot be used: ${error.message}; another --name-resolution can`));
    };
    socket.on('error', settle);
    socket.once('ready', () => {
      socket.off('error', settle).on('error', warn);
      settle(obstacle);
    });
  });
}

interface Instance {
  readonly target: Target;
  readonly endpoint: Endpoint;
  /** On the monotonic clock. */
  seenAtMs: number;
}

/** Who has been heard of, by the full name of its service. */
function openInstances(clock: Clock) {
  const byApp = new Map<string, Map<string, Instance>>();
  /** Epoch milliseconds. */
  const lastSeenAt = new Map<string, number>();
  const listeners = new Set<(app: string) => void>();
  const isLive = (instance: Instance) => clock.elapsed() - instance.seenAtMs <= TTL_MS;
  let count = 0;

  function forget(app: string, fqdn: string): void {
    const instances = byApp.get(app);
    if (!instances?.delete(fqdn)) return;
    count -= 1;
    if (instances.size === 0) byApp.delete(app);
  }

  return {
    seen(fqdn: string, target: Target, endpoint: Endpoint): void {
      const app = targetName(target);
      const instances = byApp.get(app) ?? new Map<string, Instance>();
      if (!instances.has(fqdn) && count >= INSTANCES_MAX) return;
      if (!instances.has(fqdn)) count += 1;
      byApp.set(app, instances.set(fqdn, { target, endpoint, seenAtMs: clock.elapsed() }));
      lastSeenAt.set(app, clock.now());
      for (const listener of listeners) listener(app);
    },
    gone: (fqdn: string, target: Target) => forget(targetName(target), fqdn),
    /** The silent ones, whose time is over. */
    sweep(): void {
      for (const [app, instances] of byApp) {
        for (const [fqdn, instance] of instances) if (!isLive(instance)) forget(app, fqdn);
      }
      if (lastSeenAt.size > INSTANCES_MAX) lastSeenAt.clear();
    },
    live: (target: Target): readonly Endpoint[] =>
      [...(byApp.get(targetName(target))?.values() ?? [])].filter(isLive).map(({ endpoint }) => endpoint),
    known: (): readonly Target[] =>
      [...byApp.values()].flatMap((instances) => [...instances.values()].slice(0, 1).map(({ target }) => target)),
    lastSeenAt: (target: Target) => lastSeenAt.get(targetName(target)),
    /** Calls with each app that is heard of, until cancelled. */
    onSeen(listener: (app: string) => void): Cancel {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

type Instances = ReturnType<typeof openInstances>;

/**
 * Asks the network while names are in use. The library's browser tells of each instance once, so a round of asking takes
 * a new one; another stays all along, for the goodbyes.
 */
function startAsking(bonjour: Bonjour, instances: Instances, clock: Clock) {
  let usedAtMs = clock.elapsed();
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let round: Browser | undefined;

  const hear = (service: Service) => {
    const target = targetOf(service);
    const host = service.referer?.address;
    if (target !== undefined && host !== undefined) instances.seen(service.fqdn, target, { host, port: service.port });
  };
  const forget = (service: Service) => {
    const target = targetOf(service);
    if (target !== undefined) instances.gone(service.fqdn, target);
  };
  const goodbyes = bonjour.find({ type: SERVICE_TYPE }, hear);
  goodbyes.on('down', forget);
  const stopRounds = every(clock, ROUND_MS, () => {
    instances.sweep();
    if (clock.elapsed() - usedAtMs <= UNUSED_MAX_MS) ask();
  });

  /** Whoever came since the last time has told everybody so; asking again soon would bring nothing new. */
  function ask(): void {
    if (clock.elapsed() - askedAtMs < FIRST_ANSWER_MS) return;
    askedAtMs = clock.elapsed();
    round?.stop();
    round = bonjour.find({ type: SERVICE_TYPE }, hear);
  }

  return {
    use(): void {
      usedAtMs = clock.elapsed();
    },
    ask,
    stop(): void {
      stopRounds();
      round?.stop();
      goodbyes.stop();
    },
  };
}

/** The strangers on a network may call themselves anything. */
function targetOf({ txt }: Service): Target | undefined {
  const app = parseAppId(String(txt?.app));
  const namespace = parseNamespace(String(txt?.ns));
  return app.ok && namespace.ok ? { app: app.value, namespace: namespace.value } : undefined;
}

function find(target: Target, instances: Instances): Resolved | undefined {
  if (instances.live(target).length === 0) return undefined;
  return { kind: 'found', upstream: { target, endpoints: () => instances.live(target) } };
}

function missing(
  target: Target,
  instances: Instances,
  asking: ReturnType<typeof startAsking>,
  clock: Clock,
): Resolution {
  return {
    kind: 'miss',
    wait(done) {
      const answer = (resolved: Resolved) => {
        cancel();
        done(resolved);
      };
      const stopListening = instances.onSeen(() => {
        const found = find(target, instances);
        if (found) answer(found);
      });
      const stopWaiting = clock.after(FIRST_ANSWER_MS, () =>
        answer(find(target, instances) ?? absent(target, instances, clock)),
      );
      const cancel = () => {
        stopListening();
        stopWaiting();
      };
      asking.ask();
      return cancel;
    },
  };
}

function absent(target: Target, instances: Instances, clock: Clock): Resolved {
  const seenAt = instances.lastSeenAt(target);
  const fault =
    seenAt === undefined || clock.now() - seenAt > LATELY_MS
      ? unknownApp(target, instances.known(), thisNetwork)
      : goneApp(target, seenAt, clock.now());
  return { kind: 'absent', fault };
}

function announce({ identity, peer }: Announcement, bonjour: Bonjour): Announced {
  const { app, namespace, trustDomain } = identity;
  const txt = { app, ns: namespace, td: trustDomain };
  // A DNS label holds 63 bytes, and two instances never share one.
  const name = `${app.slice(0, 40)}-${randomUUID().slice(0, 18)}`;
  let service: Service | undefined;
  let isStanding = true;

  function retract(): void {
    service?.stop?.();
    service = undefined;
  }

  return {
    setReady(isReady) {
      if (!isStanding) return;
      if (!isReady) retract();
      else service ??= bonjour.publish({ name, type: SERVICE_TYPE, port: peer.port, txt, probe: false });
    },
    withdraw() {
      isStanding = false;
      retract();
    },
  };
}
