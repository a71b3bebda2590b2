// Tries the properties of what reads bytes from outside, again and again, with a new seed for each round: HTTP/1.1 beside
// node:http, random frames of HTTP/2, HPACK, gRPC's framing, and calls that are cut off on their way through two sidecars.
// Ends at the first failure, and says how to see it again.
//
//   npm run fuzz                    for an hour
//   npm run fuzz -- --minutes 600
//   npm run fuzz -- --short         one round, in less than a minute
//   npm run fuzz -- --seed 42       the round with this seed
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
/** Of the files whose name contains one of these. */
const PROPERTIES = [
  ...['wire/http1/differential', 'wire/http1/write-head', 'wire/http2/frame-fuzz', 'wire/hpack/', 'wire/grpc-frame'],
  'sidecar/contract/cut',
];
/** So many times what `npm test` tries. */
const FACTOR = { short: 3, long: 40 };
const ROUND_LIMIT_MS = { short: 120_000, long: 3_600_000 };
const SEEDS = 2 ** 31;

const { values } = parseArgs({
  options: { short: { type: 'boolean' }, seed: { type: 'string' }, minutes: { type: 'string', default: '60' } },
});
const length = values.short ? 'short' : 'long';
const deadlineMs = Date.now() + Number(values.minutes) * 60_000;
const isOneRound = values.short === true || values.seed !== undefined;

do {
  const seed = values.seed ?? String(Math.floor(Math.random() * SEEDS));
  console.log(`fuzz: a ${length} round with seed ${seed}`);
  if (round(seed)) continue;
  console.error(`fuzz: failed; \`npm run fuzz -- --seed ${seed}\` does it again`);
  process.exitCode = 1;
  break;
} while (!isOneRound && Date.now() < deadlineMs);

/** Whether all properties held. */
function round(seed: string): boolean {
  const limitMs = ROUND_LIMIT_MS[length];
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', `--testTimeout=${limitMs}`, ...PROPERTIES], {
    cwd: ROOT,
    env: { ...process.env, FUZZ_FACTOR: String(FACTOR[length]), FUZZ_SEED: seed },
    stdio: 'inherit',
    timeout: limitMs,
  });
  return status === 0;
}
