// The flags of a sidecar: how each is spelled, what the help says of it. What they mean is in flags.ts.
//
// `aliases` are the spellings of `dapr run` and `daprd`, so that command lines and manifests carry over.
import { type Command, Option } from 'commander';
import { APP_HEALTH_DEFAULTS } from '../api/app-health.ts';
import { DEFAULT_HOPS_MAX } from '../api/hops.ts';

export interface FlagSpec {
  readonly flag: string;
  readonly short?: string;
  readonly aliases?: readonly string[];
  /** What stands for the value in the help; a switch has none. */
  readonly value?: string;
  readonly group: string;
  readonly help: string;
  /** As the help shows it; flags.ts acts on it. */
  readonly initially?: string;
}

const APP = 'Your app:';
const PORTS = 'Ports (a given port is kept to; a default one gives way to a free one):';
const LIMITS = 'Limits:';
const NAMES = 'Finding other apps:';
const OUTSIDE = 'Calling what has no sidecar:';
const IDENTITY = 'Identity:';
const GUARD = 'Who may call the app API:';
const OUTPUT = 'Output:';

const table = {
  appId: {
    flag: '--app-id',
    short: '-a',
    value: 'ID',
    group: APP,
    help: 'the name by which others call this app (required)',
  },
  appPort: {
    flag: '--app-port',
    short: '-p',
    value: 'PORT',
    group: APP,
    help: 'where the app listens for calls; leave it out for a program that only calls',
  },
  appProtocol: {
    flag: '--app-protocol',
    short: '-P',
    value: 'PROTOCOL',
    group: APP,
    help: 'what the app speaks: http, h2c, grpc, or over TLS https, grpcs',
    initially: 'http',
  },
  appHost: {
    flag: '--app-channel-address',
    value: 'HOST',
    group: APP,
    help: 'the host on which the app listens',
    initially: 'localhost',
  },
  appTlsCa: {
    flag: '--app-tls-ca',
    value: 'FILE',
    group: APP,
    help: 'PEM certificates of who vouches for the app, with https and grpcs',
    initially: "this machine's authorities",
  },
  appTlsServerName: {
    flag: '--app-tls-server-name',
    value: 'NAME',
    group: APP,
    help: "the name in the app's certificate",
    initially: "the app's host",
  },
  appTlsUnverified: {
    flag: '--app-tls-unverified',
    group: APP,
    help: 'take whatever certificate the app shows',
  },
  appMaxConcurrency: {
    flag: '--app-max-concurrency',
    value: 'NUMBER',
    group: APP,
    help: 'how many calls may be in the app at once, others wait; -1 for any number',
    initially: '-1',
  },
  appHealthCheck: {
    flag: '--enable-app-health-check',
    group: APP,
    help: 'ask the app whether it is healthy, and give it calls only then',
  },
  appHealthPath: {
    flag: '--app-health-check-path',
    value: 'PATH',
    group: APP,
    help: 'what it is asked, over HTTP',
    initially: APP_HEALTH_DEFAULTS.path,
  },
  appHealthInterval: {
    flag: '--app-health-probe-interval',
    value: 'SECONDS',
    group: APP,
    help: 'how often it is asked',
    initially: APP_HEALTH_DEFAULTS.intervalSec,
  },
  appHealthTimeout: {
    flag: '--app-health-probe-timeout',
    value: 'MILLISECONDS',
    group: APP,
    help: 'how long it has for an answer',
    initially: APP_HEALTH_DEFAULTS.timeoutMs,
  },
  appHealthThreshold: {
    flag: '--app-health-threshold',
    value: 'NUMBER',
    group: APP,
    help: 'failures in a row that make it unhealthy',
    initially: APP_HEALTH_DEFAULTS.threshold,
  },
  namespace: {
    flag: '--namespace',
    short: '-n',
    value: 'NAME',
    group: APP,
    help: 'the namespace of this app; part of its identity',
    initially: 'default',
  },
  resourcesPath: {
    flag: '--resources-path',
    short: '-d',
    value: 'DIR',
    group: APP,
    help: 'a folder of YAML resources; may be repeated',
  },

  httpPort: {
    flag: '--http-port',
    short: '-H',
    aliases: ['--dapr-http-port'],
    value: 'PORT',
    group: PORTS,
    help: 'the app API, which the app calls',
    initially: '3500',
  },
  grpcPort: {
    flag: '--grpc-port',
    short: '-G',
    aliases: ['--dapr-grpc-port'],
    value: 'PORT',
    group: PORTS,
    help: 'the app API over gRPC',
    initially: '50001',
  },
  peerPort: {
    flag: '--peer-port',
    short: '-I',
    aliases: ['--dapr-internal-grpc-port'],
    value: 'PORT',
    group: PORTS,
    help: 'where other sidecars call in',
    initially: 'any free one',
  },
  metricsPort: {
    flag: '--metrics-port',
    short: '-M',
    aliases: ['--dapr-metrics-port'],
    value: 'PORT',
    group: PORTS,
    help: 'metrics for Prometheus',
    initially: '9090',
  },
  publicPort: {
    flag: '--public-port',
    aliases: ['--dapr-public-port'],
    value: 'PORT',
    group: PORTS,
    help: 'health alone, for probes from outside',
    initially: 'not served',
  },
  listenAddresses: {
    flag: '--listen-addresses',
    aliases: ['--dapr-listen-addresses'],
    value: 'IP,…',
    group: PORTS,
    help: 'where the app API and the metrics listen',
    initially: '127.0.0.1',
  },
  peerListenAddress: {
    flag: '--peer-listen-address',
    aliases: ['--dapr-internal-grpc-listen-address'],
    value: 'IP',
    group: PORTS,
    help: 'where the peer port listens',
    initially: '127.0.0.1 with the registry, else ::',
  },

  bodyMax: {
    flag: '--max-body-size',
    value: 'SIZE',
    group: LIMITS,
    help: 'largest request body, such as 512Ki; 0 or -1 for no limit',
    initially: '4Mi',
  },
  hopsMax: {
    flag: '--max-hops',
    value: 'NUMBER',
    group: LIMITS,
    help: 'how many calls may lead to one another, as in a circle; up to 255',
    initially: String(DEFAULT_HOPS_MAX),
  },
  grace: {
    flag: '--graceful-shutdown',
    aliases: ['--dapr-graceful-shutdown-seconds'],
    value: 'DURATION',
    group: LIMITS,
    help: 'how long calls in flight may go on at the end',
    initially: '5s',
  },

  nameResolution: {
    flag: '--name-resolution',
    value: 'KIND',
    group: NAMES,
    help: 'registry (this machine), mdns (this network) or static (the --peer list)',
    initially: 'registry',
  },
  peer: {
    flag: '--peer',
    value: 'APP[.NS]=HOST:PORT,…',
    group: NAMES,
    help: 'where an app is, for --name-resolution static; may be repeated',
  },

  allowedExternal: {
    flag: '--allowed-external',
    value: 'HOST[:PORT],…',
    group: OUTSIDE,
    help: 'hosts that may be called beside public ones, such as localhost:8080 or *.corp.example',
    initially: 'none',
  },
  secretsPath: {
    flag: '--secrets-path',
    value: 'DIR',
    group: OUTSIDE,
    help: 'Secrets for HTTPEndpoints: a folder for each, in it a file for each key',
  },

  sentryAddress: {
    flag: '--sentry-address',
    value: 'HOST:PORT',
    group: IDENTITY,
    help: 'the certificate authority',
    initially: 'a private one in ~/.invoke',
  },
  trustAnchorsFile: {
    flag: '--trust-anchors-file',
    value: 'FILE',
    group: IDENTITY,
    help: 'PEM roots that prove the authority; goes with --sentry-address',
  },
  tokenFile: {
    flag: '--token-file',
    value: 'FILE',
    group: IDENTITY,
    help: 'a JWT that proves this app to the authority; goes with --sentry-address',
  },
  trustDomain: {
    flag: '--trust-domain',
    value: 'NAME',
    group: IDENTITY,
    help: 'the realm of one root of trust',
    initially: 'cluster.local',
  },
  certTtl: {
    flag: '--workload-cert-ttl',
    value: 'DURATION',
    group: IDENTITY,
    help: 'how long certificates of the private authority hold',
    initially: '24h',
  },

  allowedOrigins: {
    flag: '--allowed-origins',
    value: 'ORIGIN,…',
    group: GUARD,
    help: 'web pages that may call, such as https://localhost:8443; * for all',
    initially: 'none',
  },
  allowedHosts: {
    flag: '--allowed-hosts',
    value: 'HOST,…',
    group: GUARD,
    help: 'host names by which it may be called, beside localhost and IP addresses',
    initially: 'none',
  },
  upgradeProtocols: {
    flag: '--upgrade-protocols',
    value: 'TOKEN,…',
    group: GUARD,
    help: 'protocols that requests may go on in (the header Upgrade), beside websocket; both sidecars have to list one',
    initially: 'none',
  },
  statuses: {
    flag: '--statuses',
    value: 'KIND',
    group: GUARD,
    help: 'honest, or dapr: 500 wherever Dapr answers 500',
    initially: 'honest',
  },

  logLevel: {
    flag: '--log-level',
    value: 'LEVEL',
    group: OUTPUT,
    help: 'debug, info, warn or error',
    initially: 'info',
  },
  logFormat: { flag: '--log-format', value: 'FORMAT', group: OUTPUT, help: 'text or json', initially: 'text' },
} as const satisfies Readonly<Record<string, FlagSpec>>;

export type FlagName = keyof typeof table;

export const FLAGS: Readonly<Record<FlagName, FlagSpec>> = table;

/** A flag as it was written: the mistakes name it so. */
export interface Given {
  readonly flag: string;
  readonly text: string;
}

/** What was written on the command line, in order, unread. */
export type RawFlags = Partial<Record<FlagName, Given[]>>;

/**
 * Adds the flags to a command; `defaults` are those that differ for it. The list that is returned fills when the
 * command is parsed.
 */
export function addFlags(
  command: Command,
  names: readonly FlagName[],
  defaults: Readonly<Partial<Record<FlagName, string>>> = {},
): RawFlags {
  const raw: RawFlags = {};
  command.addHelpOption(new Option('-h, --help', 'show this help').helpGroup(OUTPUT));
  for (const name of names) {
    const { flag, short, aliases = [], value, group, help } = FLAGS[name];
    const initially = defaults[name] ?? FLAGS[name].initially;
    const described = initially === undefined ? help : `${help} (default: ${initially})`;
    const operand = value === undefined ? '' : ` <${value}>`;
    const option = new Option(`${short === undefined ? '' : `${short}, `}${flag}${operand}`, described);
    command.addOption(option.helpGroup(group));
    for (const alias of aliases) command.addOption(new Option(`${alias}${operand}`).hideHelp());
    const note = (spelled: string, text: string) => {
      const given = raw[name] ?? [];
      given.push({ flag: spelled, text });
      raw[name] = given;
    };
    for (const spelled of [flag, ...aliases]) {
      if (value === undefined) addSwitch(command, spelled, note);
      else command.on(`option:${spelled.slice(2)}`, (text: string) => note(spelled, text));
    }
  }
  return raw;
}

/**
 * As the flags package of Go has it: `--flag`, `--flag=true`, `--flag=false`. Each is an option of its own: one with a value
 * that may be left out would take the word after it, which may be the app's command.
 */
function addSwitch(command: Command, spelled: string, note: (spelled: string, text: string) => void): void {
  command.on(`option:${spelled.slice(2)}`, () => note(spelled, 'true'));
  for (const text of ['true', 'false']) {
    const written = `${spelled}=${text}`;
    command.addOption(new Option(written).hideHelp());
    command.on(`option:${written.slice(2)}`, () => note(spelled, text));
  }
}

/** Every flag of a sidecar, in the order of the help. */
export const SIDECAR_FLAGS = Object.keys(table).filter((name): name is FlagName => Object.hasOwn(table, name));

/** The same flags as arguments for another process. */
export function printFlags(raw: RawFlags): string[] {
  return SIDECAR_FLAGS.flatMap((name) => (raw[name] ?? []).map(({ flag, text }) => `${flag}=${text}`));
}
