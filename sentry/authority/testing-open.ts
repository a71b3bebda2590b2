// For the test of processes that start at once: says that it is ready, waits for the word, opens the authority in the
// folder it is given, and prints its anchors.
import { once } from 'node:events';
import process from 'node:process';
import { parseTrustDomain } from '../../api/ids.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { processes } from '../../kit/testing/processes.ts';
import { openAuthority } from './authority.ts';

const [, , directory = ''] = process.argv;
const trustDomain = must(parseTrustDomain('cluster.local'));
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const opened = await openAuthority({ directory, trustDomain, clock: systemClock, processes, log: silentLog });
// Open until here: while the lock is waited for, nothing else keeps this process alive.
process.stdin.destroy();
process.stdout.write(must(opened).anchorsPem);
