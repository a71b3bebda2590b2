// The flags about the app itself: where it is, what it speaks, and whose certificate it shows.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  APP_HEALTH_DEFAULTS,
  type AppHealthConfig,
  healthTimeoutMistake,
  parseHealthIntervalSec,
  parseHealthPath,
  parseHealthThreshold,
  parseHealthTimeoutMs,
  parseMaxConcurrency,
} from '../api/app-health.ts';
import { type AppProtocol, isOverTls, parseAppProtocol } from '../api/app-protocol.ts';
import { readCertificates } from '../identity/chain.ts';
import { whyUnreadable } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { parseHostName, parsePort } from '../kit/values.ts';
import type { AppConfig } from '../sidecar/config.ts';
import type { Form } from './flag-form.ts';
import { FLAGS } from './flag-table.ts';
import { type Host, nonEmpty } from './host.ts';

export function readApp(form: Form, host: Host): AppConfig {
  const protocol = form.read('appProtocol', parseAppProtocol) ?? 'http';
  const tls = readTls(form, protocol, host);
  const health = readHealth(form);
  const maxConcurrency = form.read('appMaxConcurrency', parseMaxConcurrency);
  return {
    port: form.read('appPort', parsePort),
    host: form.read('appHost', nonBlank) ?? 'localhost',
    protocol,
    ...(tls !== undefined && { tls }),
    ...(maxConcurrency !== undefined && { maxConcurrency }),
    ...(health !== undefined && { health }),
    token: nonEmpty(host.env.APP_API_TOKEN),
  };
}

const TLS_FLAGS = ['appTlsCa', 'appTlsServerName', 'appTlsUnverified'] as const;

function readTls(form: Form, protocol: AppProtocol, host: Host): AppConfig['tls'] {
  const caPem = form.read('appTlsCa', (path) => readCa(resolve(host.cwd, path)));
  const serverName = form.read('appTlsServerName', parseHostName);
  const isUnverified = form.isGiven('appTlsUnverified');
  const given = TLS_FLAGS.filter((name) => form.isGiven(name));
  if (given.length === 0) return undefined;
  if (!isOverTls(protocol)) {
    for (const name of given) {
      form.mistake(`${FLAGS[name].flag}: it goes with --app-protocol https or grpcs, and the app speaks ${protocol}`);
    }
  } else if (isUnverified && given.length > 1) {
    const others = given.slice(0, -1).map((name) => FLAGS[name].flag);
    form.mistake(`--app-tls-unverified: nothing is verified with it, and ${others.join(' and ')} would mean nothing`);
  }
  return { caPem, serverName, isUnverified };
}

const HEALTH_FLAGS = ['appHealthPath', 'appHealthInterval', 'appHealthTimeout', 'appHealthThreshold'] as const;

function readHealth(form: Form): AppHealthConfig | undefined {
  const defaults = APP_HEALTH_DEFAULTS;
  const health = {
    path: form.read('appHealthPath', parseHealthPath) ?? defaults.path,
    intervalMs: 1000 * (form.read('appHealthInterval', parseHealthIntervalSec) ?? Number(defaults.intervalSec)),
    timeoutMs: form.read('appHealthTimeout', parseHealthTimeoutMs) ?? Number(defaults.timeoutMs),
    threshold: form.read('appHealthThreshold', parseHealthThreshold) ?? Number(defaults.threshold),
  };
  if (form.isGiven('appHealthCheck') && form.isGiven('appPort')) {
    const mistake = healthTimeoutMistake(health);
    if (mistake !== undefined) form.mistake(`${FLAGS.appHealthTimeout.flag}: ${mistake}`);
    return health;
  }
  // As of annotations, and of Dapr's command: the flags of a check that is switched off are often left standing.
  if (form.isGiven('appHealthCheck')) form.remark('--enable-app-health-check does nothing without --app-port');
  for (const name of form.isGiven('appHealthCheck') ? [] : HEALTH_FLAGS) {
    if (form.isGiven(name)) form.remark(`${FLAGS[name].flag} does nothing without --enable-app-health-check`);
  }
  return undefined;
}

/** Read once, as the sidecar starts. */
function readCa(path: string): Result<string> {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    return err(`"${path}" cannot be read: ${whyUnreadable(error)}`);
  }
  const certificates = readCertificates(pem);
  return certificates.ok ? ok(pem) : err(`${path} is no file of certificates in PEM: ${certificates.error}`);
}

export function nonBlank(text: string): Result<string> {
  return text.trim() === '' ? err('it is empty') : ok(text);
}
