// The grammar of annotation values that flags do not share (those are in kit/values.ts).
import { isIP } from 'node:net';
import { err, ok, type Result } from '../kit/result.ts';
import { parseHostName, parseList, parseObjectName, parseWhole } from '../kit/values.ts';
import { APP_CA_VARIABLE, SIDECAR_VARIABLE, TOKEN_VARIABLES } from './pod-sidecar.ts';

/** A variable of the sidecar's environment. */
export interface EnvValue {
  readonly name: string;
  readonly value: string;
}

export interface EnvFromSecret {
  readonly name: string;
  readonly secret: string;
  readonly key: string;
}

/** A volume of the pod, mounted in the sidecar. */
export interface Mount {
  readonly volume: string;
  readonly path: string;
}

const YES = ['true', 'yes', 'y', 'on', '1'];
const NO = ['false', 'no', 'n', 'off', '0'];

/** As Dapr takes it, in any letter case. */
export function parseSwitch(text: string): Result<boolean> {
  const lower = text.toLowerCase();
  if (YES.includes(lower)) return ok(true);
  return NO.includes(lower) ? ok(false) : err(`"${text}" is neither true nor false`);
}

const GRACE_MAX_SEC = 3600;
const parseGraceSec = parseWhole(0, GRACE_MAX_SEC, 'a number of seconds');

/** Milliseconds. -1 is how Dapr says that its default of 5 seconds holds. */
export function parseGraceSeconds(text: string): Result<number> {
  if (text === '-1') return ok(5000);
  const seconds = parseGraceSec(text);
  return seconds.ok ? ok(seconds.value * 1000) : seconds;
}

/** A host name or an IP literal, brackets allowed. */
export function parseHost(text: string): Result<string> {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare) !== 0) return ok(bare);
  const name = parseHostName(text);
  return name.ok ? name : err(`"${text}" is not a host; write such as 127.0.0.1, ::1 or localhost`);
}

/** What can only be the pod itself. */
export function isLoopback(text: string): boolean {
  const host = parseHost(text);
  if (!host.ok) return false;
  return ['localhost', '::1'].includes(host.value) || (isIP(host.value) === 4 && host.value.startsWith('127.'));
}

export function parseCpu(text: string): Result<string> {
  if (/^\d{1,9}(\.\d{1,3})?m?$/.test(text)) return ok(text);
  return err(`"${text}" is not an amount of CPU; write such as 100m or 0.5`);
}

export function parseMemory(text: string): Result<string> {
  if (/^\d{1,15}(\.\d{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$/.test(text)) return ok(text);
  return err(`"${text}" is not an amount of memory; write such as 64Mi`);
}

/** A reference as container runtimes read it, roughly: what they would refuse anyway need not be caught here. */
export function parseImage(text: string): Result<string> {
  if (/^[a-zA-Z0-9][-a-zA-Z0-9._/:@]*$/.test(text)) return ok(text);
  return err(`"${text}" is not an image; write such as registry.example/invoke/sidecar:1.0.0`);
}

/** `NAME=value,NAME2=value2`. */
export function parseEnv(text: string): Result<readonly EnvValue[]> {
  return parseList((item) => {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(item) ?? [];
    return withVariable(name, `"${item}" is not a variable; write NAME=value,NAME2=value2`, { name, value });
  })(text);
}

/** `NAME=secret,NAME2=secret2:key`; without a key, it is the name. */
export function parseEnvFromSecret(text: string): Result<readonly EnvFromSecret[]> {
  return parseList((item) => {
    const [, name = '', secret = '', key = name] = /^([^=]*)=([^:]*)(?::([-._a-zA-Z0-9]+))?$/.exec(item) ?? [];
    const complaint = `"${item}" is not a variable from a Secret; write NAME=secret or NAME=secret:key`;
    return parseObjectName(secret).ok ? withVariable(name, complaint, { name, secret, key }) : err(complaint);
  })(text);
}

/** Set by the webhook, and by nobody else. */
const OWN_VARIABLES: readonly string[] = [SIDECAR_VARIABLE, APP_CA_VARIABLE, ...Object.values(TOKEN_VARIABLES)];

function withVariable<T>(name: string, complaint: string, value: T): Result<T> {
  if (OWN_VARIABLES.includes(name)) return err(`"${name}" is set by the webhook itself; leave it out`);
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? ok(value) : err(complaint);
}

/** Folders of the sidecar that nothing may be mounted over. */
const OWN_FOLDERS = ['/app', '/var/run/invoke', '/var/run/secrets', '/run/invoke', '/run/secrets', '/proc', '/sys'];

/** `volume:/path,volume2:/path2`. */
export function parseMounts(text: string): Result<readonly Mount[]> {
  return parseList((item): Result<Mount> => {
    const [, volume = '', path = ''] = /^([a-z0-9][-a-z0-9]{0,62}):(\/[^:]*)$/.exec(item) ?? [];
    const isPlain = path.length > 1 && !path.split('/').includes('..');
    if (volume === '' || !isPlain) return err(`"${item}" is not a mount; write volume:/path,volume2:/path2`);
    const taken = OWN_FOLDERS.find((folder) => isWithin(path, folder) || isWithin(folder, path));
    return taken === undefined ? ok({ volume, path }) : err(`"${item}" covers ${taken}, which the sidecar needs`);
  })(text);
}

function isWithin(path: string, folder: string): boolean {
  return `${path.replace(/\/+/g, '/').replace(/\/$/, '')}/`.startsWith(`${folder}/`);
}
