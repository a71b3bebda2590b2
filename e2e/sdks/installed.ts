// Libraries of others that tests run programs on, Dapr's SDKs at the versions that docs/sdks.md names: where
// `scripts/interop-tools.ts` puts them, and whether they are there.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAMS_FOLDER } from '../../wire/testing/programs.ts';

export interface Library {
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
export const PYTHON_SDK: Library = {
  name: "Dapr's SDK for Python",
  folder: folder('python'),
  packages: ['dapr[grpc,fastapi]==1.19.0'],
  installer: { program: 'python3', args: ['-m', 'pip', 'install', ...quietly.pip, '--target', folder('python')] },
};

export const JS_SDK: Library = {
  name: "Dapr's SDK for JavaScript",
  folder: folder('js'),
  packages: ['@dapr/dapr@3.18.0'],
  installer: { program: 'npm', args: ['install', ...quietly.npm, '--prefix', folder('js')] },
};

export const SDKS = [PYTHON_SDK, JS_SDK];

/** WebSocket as somebody else wrote it, client and server. */
export const WEBSOCKETS: Library = {
  name: 'websockets for Python',
  folder: folder('python-websockets'),
  packages: ['websockets==17.4'],
  installer: {
    program: 'python3',
    args: ['-m', 'pip', 'install', ...quietly.pip, '--target', folder('python-websockets')],
  },
};

export const LIBRARIES = [...SDKS, WEBSOCKETS];

const note = (library: Library) => join(library.folder, 'installed');

/** Whole, and what is wanted now. */
export function isInstalled(library: Library): boolean {
  return existsSync(note(library)) && readFileSync(note(library), 'utf8') === contentOf(library);
}

export function noteInstalled(library: Library): void {
  writeFileSync(note(library), contentOf(library));
}

const contentOf = (library: Library) => `${library.packages.join('\n')}\n`;
