// `invokectl policy test`: do the policies say of each call what their author means them to? For continuous integration.
import { explain } from '../policy/access/explain.ts';
import type { Verdict } from '../policy/access/verdict.ts';
import { EXIT, type Host, say } from './host.ts';
import { printedCall } from './policy-question.ts';
import { sourcesFor } from './policy-sources.ts';
import { type PolicyCase, type PolicyTest, readPolicyTest } from './policy-test-file.ts';

/** 0: all is as expected. 1: something is not. 64: a file cannot be read, and nothing was tried. */
export async function policyTestCommand(files: readonly string[], host: Host): Promise<number> {
  const tests: PolicyTest[] = [];
  const problems: string[] = [];
  for (const file of files) {
    const read = await readPolicyTest(file, host.cwd);
    if (read.ok) tests.push(read.value);
    else problems.push(...read.error);
  }
  if (problems.length > 0) {
    for (const problem of problems) say(host, problem);
    return EXIT.usage;
  }
  const reports = tests.flatMap((test) => test.cases.map((one) => report(one, test)));
  const failures = reports.filter((text) => text !== undefined);
  for (const text of failures) host.stdout.write(text);
  host.stdout.write(`${reports.length - failures.length} passed, ${failures.length} failed\n`);
  return failures.length === 0 ? EXIT.ok : EXIT.failed;
}

/** Undefined: it is as expected. */
function report(one: PolicyCase, { policies, installation }: PolicyTest): string | undefined {
  const { question } = one;
  const { verdict, rules } = explain(sourcesFor(policies, question.target, installation), question.call);
  const [expected, found] = [wanted(one), got(one, verdict)];
  if (expected.join() === found.join()) return undefined;
  const close = rules.flatMap(({ name, miss }) => (miss === undefined ? [] : [`    ${name}: ${miss.reason}`]));
  const lines = [
    `failed: ${one.name}`,
    `    ${one.caller} > ${printedCall(question)}`,
    ...expected.filter((line) => !found.includes(line)).map((line) => `  - ${line}`),
    ...found.filter((line) => !expected.includes(line)).map((line) => `  + ${line}`),
    ...(close.length > 0 ? ['  came close:', ...close.slice(0, CLOSE_MAX)] : []),
  ];
  return `${lines.join('\n')}\n`;
}

const CLOSE_MAX = 5;

function wanted({ expect, by, audit }: PolicyCase): readonly string[] {
  return lines(expect, by, audit);
}

/** Only of what was asked about; by what a wrong verdict came, in any case. */
function got({ expect, by, audit }: PolicyCase, verdict: Verdict): readonly string[] {
  const isNamed = by !== undefined || verdict.kind !== expect;
  const found = verdict.auditDeniedBy === undefined ? 'allow' : 'deny';
  return lines(verdict.kind, isNamed ? verdict.by.name : undefined, audit && found);
}

function lines(verdict: string, by: string | undefined, audit: string | undefined): readonly string[] {
  return [
    `verdict: ${verdict}`,
    ...(by === undefined ? [] : [`by: ${by}`]),
    ...(audit === undefined ? [] : [`audit: ${audit}`]),
  ];
}
