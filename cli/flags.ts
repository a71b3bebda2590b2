// From what was written on the command line to what a sidecar needs to know, or to every mistake in it at once.
import { resolve } from 'node:path';
import { parseExternalPattern } from '../api/external-pattern.ts';
import { parseHopsMax } from '../api/hops.ts';
import { parseAppId, parseNamespace, parseTrustDomain, type TrustDomain } from '../api/ids.ts';
import { parseUpgradeProtocol } from '../api/upgrade.ts';
import type { SentryEndpoint } from '../identity/sentry-client.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel } from '../kit/log.ts';
import { parseDuration } from '../kit/quantity.ts';
import { err, must, ok, type Result } from '../kit/result.ts';
import {
  parseBodyMax,
  parseHostName,
  parseHostPort,
  parseList,
  parseListenPort,
  parseOneOf,
  parseOrigin,
} from '../kit/values.ts';
import type { AppConfig, NamesConfig, PortChoice, SidecarConfig, StaticPeer } from '../sidecar/config.ts';
import { nonBlank, readApp } from './app-flags.ts';
import { type Form, openForm } from './flag-form.ts';
import { FLAGS, type RawFlags } from './flag-table.ts';
import { type Host, invokeHome, nonEmpty, registryDirectory } from './host.ts';
import type { OutsideSettings } from './outside.ts';
import { parseListenAddress, parsePeer, parseTtl } from './values.ts';

/** The certificate authority of this machine's user; see signer.ts. */
export interface SignerConfig {
  readonly stateDirectory: string;
  readonly socketPath: string;
  readonly trustDomain: TrustDomain;
  /** Undefined: nobody asked, and the authority has a default. */
  readonly workloadCertTtlMs: number | undefined;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

export interface SidecarSettings {
  readonly config: SidecarConfig;
  readonly names: NamesConfig;
  /** Undefined: an authority elsewhere signs. */
  readonly signer: SignerConfig | undefined;
  readonly log: LogConfig;
  readonly resourcesPaths: readonly string[];
  readonly outside: OutsideSettings;
  /** For the log: what was written and does nothing. */
  readonly remarks: readonly string[];
}

const DEFAULT_PORTS = { httpPort: 3500, grpcPort: 50001, metricsPort: 9090 } as const;
type UsualPort = keyof typeof DEFAULT_PORTS;
const DEFAULT_BODY_BYTES_MAX = 4 * 2 ** 20;
const DEFAULT_GRACE_MS = 5000;
const DEFAULT_NAMESPACE = must(parseNamespace('default'));
const DEFAULT_TRUST_DOMAIN = must(parseTrustDomain('cluster.local'));

/** The mistakes are whole sentences, one for each flag that is wrong. */
export function readFlags(raw: RawFlags, host: Host): Result<SidecarSettings, readonly string[]> {
  const form = openForm(raw);
  const appId = form.read('appId', parseAppId);
  if (raw.appId === undefined) form.mistake('--app-id is missing; name this app, such as --app-id web');
  const namespace = form.read('namespace', parseNamespace) ?? DEFAULT_NAMESPACE;
  const trustDomain = form.read('trustDomain', parseTrustDomain) ?? DEFAULT_TRUST_DOMAIN;

  const peers = form.readAll('peer', (text) => parsePeer(text, namespace));
  const peerAddress = form.read('peerListenAddress', parseListenAddress);
  const names = readNames(form, peers, peerAddress, host);
  const identity = readIdentity(form, trustDomain, host);
  const log = {
    level: form.read('logLevel', parseOneOf(LOG_LEVELS)) ?? 'info',
    format: form.read('logFormat', parseOneOf(['text', 'json'])) ?? 'text',
  };
  const app = readApp(form, host);
  const ports = readPorts(form, app);
  const guard = readGuard(form, host);
  const allowedExternal = form.readAll('allowedExternal', parseList(parseExternalPattern)).flat();
  const secretsPath = form.read('secretsPath', nonBlank);
  const limits = {
    bodyBytesMax: form.read('bodyMax', parseBodyMax) ?? DEFAULT_BODY_BYTES_MAX,
    hopsMax: form.read('hopsMax', parseHopsMax),
    gracefulShutdownMs: form.read('grace', parseGrace) ?? DEFAULT_GRACE_MS,
  };
  const resourcesPaths = (raw.resourcesPath ?? []).map(({ text }) => resolve(host.cwd, text));

  if (appId === undefined || form.mistakes.length > 0) return err(form.mistakes);
  const peerListenAddress = peerAddress ?? (names.kind === 'registry' ? '127.0.0.1' : '::');
  const { sentry, signer } = identity;
  const own = { appId, namespace, trustDomain, app, sentry, peerListenAddress };
  const outside = {
    allowed: allowedExternal,
    secretsDirectory: secretsPath === undefined ? undefined : resolve(host.cwd, secretsPath),
  };
  const { remarks } = form;
  return ok({
    config: { ...own, ...ports, ...guard, ...limits },
    names,
    signer,
    log,
    resourcesPaths,
    outside,
    remarks,
  });
}

function readPorts(form: Form, app: AppConfig) {
  const given = {
    httpPort: form.read('httpPort', parseListenPort),
    grpcPort: form.read('grpcPort', parseListenPort),
    peerPort: form.read('peerPort', parseListenPort),
    metricsPort: form.read('metricsPort', parseListenPort),
    publicPort: form.read('publicPort', parseListenPort),
  };
  const listenAddresses = form.read('listenAddresses', parseList(parseListenAddress)) ?? ['127.0.0.1'];
  const appAddresses = app.host === 'localhost' ? ['127.0.0.1'] : [app.host];
  const isBesideApp = [...appAddresses, '0.0.0.0', '::'].some((address) => listenAddresses.includes(address));
  refuseTwins(form, given, isBesideApp ? app.port : undefined);

  const kept = (port: number): PortChoice => ({ port, isFlexible: port === 0 });
  // The sidecar binds its ports before the app does, and would take the app's for a free one.
  const named = [app.port, ...Object.values(given)];
  const chosen = (name: UsualPort): PortChoice => {
    const usual = DEFAULT_PORTS[name];
    return given[name] === undefined
      ? { port: named.includes(usual) ? 0 : usual, isFlexible: true }
      : kept(given[name]);
  };
  return {
    httpPort: chosen('httpPort'),
    grpcPort: chosen('grpcPort'),
    peerPort: kept(given.peerPort ?? 0),
    metricsPort: chosen('metricsPort'),
    publicPort: given.publicPort === undefined ? undefined : kept(given.publicPort),
    listenAddresses,
  };
}

/** Those on the same addresses: otherwise the port would be found taken later, and nobody told by whom. */
function refuseTwins(
  form: Form,
  given: Readonly<Record<UsualPort, number | undefined>>,
  appPort: number | undefined,
): void {
  const owners = new Map(appPort === undefined ? [] : [[appPort, FLAGS.appPort.flag]]);
  for (const name of ['httpPort', 'grpcPort', 'metricsPort'] as const) {
    const port = given[name];
    if (port === undefined || port === 0) continue;
    const { flag } = FLAGS[name];
    const owner = owners.get(port);
    if (owner === undefined) owners.set(port, flag);
    else form.mistake(`${flag}: ${port} is the port of ${owner}, too; choose another for one of them`);
  }
}

function readGuard(form: Form, { env }: Host) {
  return {
    apiToken: nonEmpty(env.INVOKE_API_TOKEN) ?? nonEmpty(env.DAPR_API_TOKEN),
    allowedOrigins: form.read('allowedOrigins', parseList(parseOrigin)) ?? [],
    allowedHosts: form.read('allowedHosts', parseList(parseHostName)) ?? [],
    upgradeProtocols: form.read('upgradeProtocols', parseList(parseUpgradeProtocol)) ?? [],
    statuses: form.read('statuses', parseOneOf(['honest', 'dapr'])) ?? 'honest',
  };
}

function readNames(form: Form, peers: readonly StaticPeer[], peerAddress: string | undefined, host: Host): NamesConfig {
  const asked = form.read('nameResolution', parseOneOf(['registry', 'mdns', 'static']));
  const kind = asked ?? (form.isGiven('peer') ? 'static' : 'registry');
  if (kind !== 'static' && form.isGiven('peer')) {
    form.mistake(`--peer: it goes with --name-resolution static, not with ${kind}; leave one of the two out`);
  }
  if (kind === 'static') return { kind, peers };
  if (kind === 'registry') return { kind, directory: registryDirectory(host) };
  const isOneInterface = peerAddress !== undefined && peerAddress !== '::' && peerAddress !== '0.0.0.0';
  return { kind, interfaceAddress: isOneInterface ? peerAddress : undefined };
}

function readIdentity(
  form: Form,
  trustDomain: TrustDomain,
  host: Host,
): { readonly sentry: SentryEndpoint; readonly signer: SignerConfig | undefined } {
  const address = form.read('sentryAddress', parseHostPort);
  const trustAnchorsFile = form.read('trustAnchorsFile', nonBlank);
  const tokenFile = form.read('tokenFile', nonBlank);
  const workloadCertTtlMs = form.read('certTtl', parseTtl);
  const fromCwd = (path: string) => resolve(host.cwd, path);

  if (form.isGiven('sentryAddress')) {
    if (!form.isGiven('trustAnchorsFile')) {
      form.mistake('--sentry-address: it needs --trust-anchors-file FILE, by which the authority is proven');
    }
    if (form.isGiven('certTtl')) {
      form.mistake(
        '--workload-cert-ttl: the authority at --sentry-address decides how long certificates hold; leave it out',
      );
    }
  } else {
    for (const name of ['trustAnchorsFile', 'tokenFile'] as const) {
      if (form.isGiven(name)) form.mistake(`${FLAGS[name].flag}: it goes with --sentry-address, which is missing`);
    }
  }
  if (address === undefined) {
    const stateDirectory = `${invokeHome(host)}/ca`;
    const socketPath = `${stateDirectory}/sign.sock`;
    return {
      sentry: { kind: 'socket', path: socketPath },
      signer: { stateDirectory, socketPath, trustDomain, workloadCertTtlMs },
    };
  }
  const anchors = fromCwd(trustAnchorsFile ?? '');
  const token = tokenFile === undefined ? undefined : fromCwd(tokenFile);
  return { sentry: { kind: 'tls', ...address, trustAnchorsFile: anchors, tokenFile: token }, signer: undefined };
}

/** Dapr's spelling takes bare seconds. */
function parseGrace(text: string, flag: string): Result<number> {
  if (flag === '--graceful-shutdown') return parseDuration(text);
  if (/^\d{1,6}$/.test(text)) return ok(Number(text) * 1000);
  return err(`"${text}" is not a number of seconds`);
}
