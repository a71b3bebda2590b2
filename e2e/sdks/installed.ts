// Dapr's SDKs, at the versions that docs/sdks.md names: where `scripts/interop-tools.ts` puts them, and whether they are there.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAMS_FOLDER } from '../../wire/testing/programs.ts';

export interface Sdk {
  readonly name: string;
  /** Nothing else is in it. */
  readonly folder: string;
  readonly packages: readonly string[];
  readonly installer: { readonly program: string; readonly args: readonly string[] };
}

const folder = (name: string) => join(PROGRAMS_FOLDER, name);
const quietly = {
  pip: ['--quiet', '--disable-pip-version-check'],
  npm: ['--ignore-scripts', '--no-audit', '--no-fund'],
};

/** A folder and no virtual environment: some systems have pip and no venv, and Python finds it by PYTHONPATH. */
export const PYTHON_SDK: Sdk = {
  name: "Dapr's SDK for Python",
  folder: folder('python'),
  packages: ['dapr[grpc,fastapi]==1.19.0'],
  installer: { program: 'python3', args: ['-m', 'pip', 'install', ...quietly.pip, '--target', folder('python')] },
};

export const JS_SDK: Sdk = {
  name: "Dapr's SDK for JavaScript",
  folder: folder('js'),
  packages: ['@dapr/dapr@3.18.0'],
  installer: { program: 'npm', args: ['install', ...quietly.npm, '--prefix', folder('js')] },
};

export const SDKS = [PYTHON_SDK, JS_SDK];

const note = (sdk: Sdk) => join(sdk.folder, 'installed');

/** Whole, and what is wanted now. */
export function isInstalled(sdk: Sdk): boolean {
  return existsSync(note(sdk)) && readFileSync(note(sdk), 'utf8') === contentOf(sdk);
}

export function noteInstalled(sdk: Sdk): void {
  writeFileSync(note(sdk), contentOf(sdk));
}

const contentOf = (sdk: Sdk) => `${sdk.packages.join('\n')}\n`;
