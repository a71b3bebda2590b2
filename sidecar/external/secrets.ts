// Values that an endpoint does not hold itself but names: keys of Secrets, which are files here, and variables of the sidecar's
// environment. In a pod the webhook has mounted the Secrets; on a laptop they are folders below --secrets-path.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EndpointValue } from '../../api/http-endpoint.ts';
import type { Clock } from '../../kit/clock.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export interface SecretsOptions {
  /** A folder for each Secret, a file for each key; undefined: there are none. */
  readonly directory: string | undefined;
  readonly variable: (name: string) => string | undefined;
  readonly clock: Clock;
  /** What people do about a Secret that is not there. */
  readonly advice: string;
}

/** A file is read anew after so long: what the kubelet or a person puts in its place is soon in use. */
const BELIEVED_MS = 5000;
/** A certificate chain, and more, fits; a Secret of Kubernetes has 1 MiB. */
const FILE_BYTES_MAX = 1024 * 1024;

interface Read {
  readonly value: Result<string>;
  readonly atMs: number;
}

export class EndpointSecrets {
  readonly #options: SecretsOptions;
  /** By path: as many as the endpoints name. */
  readonly #files = new Map<string, Read>();

  constructor(options: SecretsOptions) {
    this.#options = options;
  }

  /** Or a sentence for people, which holds no value. */
  valueOf(value: EndpointValue): Result<string> {
    switch (value.kind) {
      case 'literal':
        return ok(value.value);
      case 'env':
        return this.#variable(value.variable);
      case 'secret':
        return this.#file(value.name, value.key);
    }
  }

  #variable(name: string): Result<string> {
    const value = this.#options.variable(name);
    return value === undefined
      ? err(`the sidecar has no environment variable ${name}; set it where the sidecar is started, and restart it`)
      : ok(value);
  }

  #file(name: string, key: string): Result<string> {
    const { directory, clock, advice } = this.#options;
    if (directory === undefined) return err(`the key ${key} of the Secret ${name} cannot be read: ${advice}`);
    const path = join(directory, name, key);
    const known = this.#files.get(path);
    if (known !== undefined && clock.elapsed() - known.atMs < BELIEVED_MS) return known.value;
    const read = readSmallFile(path);
    const value = read.ok ? read : err(`the key ${key} of the Secret ${name} is not there (${read.error}): ${advice}`);
    this.#files.set(path, { value, atMs: clock.elapsed() });
    return value;
  }
}

/** On a laptop people end files with a line break, which no value of a header may hold. */
function readSmallFile(path: string): Result<string> {
  try {
    if (statSync(path).size > FILE_BYTES_MAX) return err('the file is larger than 1 MiB');
    return ok(readFileSync(path, 'utf8').replace(/\r?\n$/, ''));
  } catch (error) {
    return err(codeOf(error) ?? messageOf(error));
  }
}
