// `invokectl policy learn`: the least AccessPolicies that allow the calls of which sidecars' logs tell.
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { dump } from 'js-yaml';
import { whyUnreadable } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { type JudgedCall, readDecisionLine } from '../policy/access/decision-line.ts';
import { type LearnedPolicy, learn } from '../policy/access/learn.ts';
import { EXIT, type Host, say } from './host.ts';

/** Different calls; many more than a rule set can hold. */
const CALLS_MAX = 200_000;

/** Without files, and for -, it reads the standard input. */
export async function policyLearnCommand(files: readonly string[], trustDomain: string, host: Host): Promise<number> {
  const seen = new Map<string, JudgedCall>();
  for (const file of files.length === 0 ? ['-'] : files) {
    const read = await readLog(file === '-' ? host.stdin : createReadStream(resolve(host.cwd, file)), seen);
    if (!read.ok) {
      say(host, `${file === '-' ? 'the standard input' : file}: ${read.error}`);
      return EXIT.usage;
    }
  }
  if (seen.size === 0) {
    say(
      host,
      'there is no line about a call that was judged; give the log of a sidecar in JSON (--log-format json; in a pod it is JSON unless invoke.io/log-as-json says otherwise)',
    );
    return EXIT.failed;
  }
  const { policies, left } = learn([...seen.values()], trustDomain);
  for (const sentence of left) say(host, `${sentence}; it is left out`);
  host.stdout.write(policies.map(asYaml).join('---\n'));
  return EXIT.ok;
}

/** Each call once, however often it was made. */
async function readLog(log: Readable, seen: Map<string, JudgedCall>): Promise<Result<void>> {
  let number = 0;
  try {
    for await (const line of createInterface({ input: log, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      const read = readDecisionLine(line);
      if (!read.ok) return err(`line ${number}: ${read.error}`);
      if (read.value !== undefined) seen.set(JSON.stringify(read.value), read.value);
      if (seen.size > CALLS_MAX)
        return err(`line ${number}: these are too many different calls; give a part of the log`);
    }
    return ok(undefined);
  } catch (error) {
    return err(`it cannot be read: ${whyUnreadable(error)}`);
  }
}

function asYaml({ namespace, name, spec }: LearnedPolicy): string {
  const metadata = { name, namespace };
  return dump(
    { apiVersion: 'invoke.io/v1alpha1', kind: 'AccessPolicy', metadata, spec },
    { lineWidth: -1, noRefs: true },
  );
}
