// Gets what the tests with other programs (`npm run test:interop`) need and do not find: h2spec and grpcurl by Go, Dapr's SDKs and
// a library for WebSocket by pip and npm, into node_modules/.cache; curl and nghttp2's programs by apt, where that is there and we are root. What cannot
// be had is said and left out, for such a test is skipped then.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { isInstalled, LIBRARIES, type Library, noteInstalled } from '../e2e/sdks/installed.ts';
import { findProgram, PROGRAMS_FOLDER } from '../wire/testing/programs.ts';

/** For each step; the gate gives fifteen minutes to all. */
const LIMIT_MS = 200_000;
const GO_PROGRAMS = {
  /** The newest that Go's module proxy gives: it refuses v2.6.0. */
  h2spec: 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible',
  grpcurl: 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4',
};
const APT_PACKAGES = { curl: 'curl', nghttp: 'nghttp2-client', h2load: 'nghttp2-client', nghttpd: 'nghttp2-server' };

const isMissing = (program: string) => findProgram(program) === undefined;

for (const [program, path] of Object.entries(GO_PROGRAMS).filter(([name]) => isMissing(name))) {
  const go = findProgram('go');
  if (go === undefined) {
    say(`${program} is left out: there is no Go to build it with`);
    continue;
  }
  mkdirSync(PROGRAMS_FOLDER, { recursive: true });
  tryToGet(program, go, ['install', path], { GOBIN: PROGRAMS_FOLDER });
}

for (const library of LIBRARIES.filter((one) => !isInstalled(one))) install(library);

const packages = new Set(Object.entries(APT_PACKAGES).flatMap(([program, name]) => (isMissing(program) ? [name] : [])));
if (packages.size > 0) {
  const names = [...packages];
  const aptGet = findProgram('apt-get');
  if (process.getuid?.() !== 0 || aptGet === undefined) say(`install by hand what you miss of ${names.join(', ')}`);
  else aptInstall(aptGet, names);
}

/** Into a folder that is empty: half of another try would be no library. */
function install(library: Library): void {
  const installer = findProgram(library.installer.program);
  if (installer === undefined) {
    say(`${library.name} is left out: there is no ${library.installer.program} to install it with`);
    return;
  }
  rmSync(library.folder, { recursive: true, force: true });
  mkdirSync(library.folder, { recursive: true });
  if (tryToGet(library.name, installer, [...library.installer.args, ...library.packages], {})) noteInstalled(library);
}

/** Its lists may be older than what the mirrors have, or not be there. */
function aptInstall(aptGet: string, names: readonly string[]): void {
  const install = ['install', '-y', '-q', '--no-install-recommends', ...names];
  const quietly = { DEBIAN_FRONTEND: 'noninteractive' };
  const isThere = tryToGet(names.join(', '), aptGet, install, quietly);
  if (!isThere && tryToGet('the lists of apt', aptGet, ['update', '-q'], quietly))
    tryToGet(names.join(', '), aptGet, install, quietly);
}

function tryToGet(what: string, command: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  say(`getting ${what} …`);
  try {
    execFileSync(command, args, { env: { ...process.env, ...env }, stdio: 'pipe', timeout: LIMIT_MS });
    return true;
  } catch (error) {
    say(`${what} could not be had, and is left out: ${String(error)}`);
    return false;
  }
}

function say(text: string): void {
  console.log(`interop: ${text}`);
}
