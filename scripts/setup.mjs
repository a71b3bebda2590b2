// Makes a fresh clone ready: installs the dependencies when they are missing or older than the lock file says.
// Plain JavaScript for Node 20 and later, because it runs before anything is installed. Says nothing when there is
// nothing to do.
import { spawnSync } from 'node:child_process';
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** When a file was last written, in epoch milliseconds; 0 when it is not there. */
function writtenAt(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

// npm writes its hidden lock file last, so an install that was cut off does not count.
if (writtenAt('node_modules/.package-lock.json') < writtenAt('package-lock.json')) {
  const installed = join(root, 'node_modules');
  if (lstatSync(installed, { throwIfNoEntry: false })?.isSymbolicLink()) {
    // npm ci empties the folder first, and this one is somebody else's.
    console.error(
      `node_modules is a link to ${realpathSync(installed)}, which npm ci would empty; remove the link, and try again.`,
    );
    process.exit(1);
  }
  console.log('Installing dependencies (npm ci), once …');
  const options = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  // `npm run` says which npm it is.
  const npm = process.env.npm_execpath;
  const [file, args] = npm === undefined ? ['npm', options] : [process.execPath, [npm, ...options]];
  const { status, error } = spawnSync(file, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  if (error !== undefined) console.error(`npm ci could not be started: ${error.message}`);
  if (status !== 0) {
    console.error('The dependencies could not be installed; npm ci says why.');
    process.exit(1);
  }
}
