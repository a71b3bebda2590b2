// What a sidecar says of its resilience, read and put into lines for people: one for each thing there is to know, and of each target
// the troubles first.
import * as z from 'zod';
import { err, ok, type Result } from '../../kit/result.ts';
import { printable } from '../../kit/text.ts';
import { columns } from '../table.ts';

const instance = z.object({
  instance: z.string(),
  state: z.string(),
  forMs: z.number(),
  failures: z.number(),
});
const breaker = z.object({
  route: z.string().optional(),
  path: z.string().optional(),
  state: z.string(),
  forMs: z.number(),
});
const target = z.object({
  target: z.string(),
  instances: z.number(),
  leftAlone: z.array(instance),
  leftAloneLeftOut: z.number(),
  budget: z.object({ retries: z.number(), left: z.number() }),
  breakers: z.array(breaker),
  breakersLeftOut: z.number(),
});
const answer = z.object({
  id: z.string(),
  resiliencies: z.array(z.object({ name: z.string() })),
  resilience: z.object({ targets: z.array(target), targetsLeftOut: z.number() }),
});

/** What is read of `/v1.0/metadata`; a later version may say more. */
export type SidecarAnswer = z.infer<typeof answer>;
type Target = z.infer<typeof target>;

export function readAnswer(json: unknown): Result<SidecarAnswer> {
  const read = answer.safeParse(json);
  if (read.success) return ok(read.data);
  return err(
    `this invokectl cannot read it (${z.prettifyError(read.error).split('\n', 1).join()}); are the versions the same?`,
  );
}

type Row = readonly [app: string, target: string, what: string, state: string, forTime: string];

export function table(answers: readonly SidecarAnswer[]): string {
  const rows = answers.flatMap((one) => rowsOf(one));
  return columns([['APP', 'TARGET', 'WHAT', 'STATE', 'FOR'], ...rows.map((row) => row.map(printable))]);
}

function rowsOf({ id, resiliencies, resilience: { targets, targetsLeftOut } }: SidecarAnswer): readonly Row[] {
  const names = resiliencies.map(({ name }) => name).join(', ');
  return [
    [id, '-', 'Resiliency in effect', names === '' ? 'none' : names, '-'],
    ...targets.flatMap((one) =>
      targetRows(one).map(([what, state, ms]): Row => [id, one.target, what, state, time(ms)]),
    ),
    ...leftOut(targetsLeftOut, 'targets').map(([what, state]): Row => [id, '-', what, state, '-']),
  ];
}

type TargetRow = readonly [what: string, state: string, forMs?: number];

function targetRows({ instances, leftAlone, budget, breakers, ...more }: Target): readonly TargetRow[] {
  const alone = leftAlone.length + more.leftAloneLeftOut;
  const [closed, open] = [breakers.filter(isClosed), breakers.filter((one) => !isClosed(one))];
  return [
    ...open.map(breakerRow),
    ...leftAlone.map(({ instance: name, state, forMs, failures }): TargetRow => {
      const why = failures > 0 ? `, ${failures} failures in a row` : '';
      return [`instance ${name}`, `${state}${why}`, forMs];
    }),
    ...leftOut(more.leftAloneLeftOut, 'instances'),
    ['instances', `${instances - alone} of ${instances} are called`],
    ['retry budget', `${budget.left} of ${budget.retries} left`],
    ...closed.map(breakerRow),
    ...leftOut(more.breakersLeftOut, 'breakers'),
  ];
}

function isClosed({ state }: z.infer<typeof breaker>): boolean {
  return state === 'closed';
}

function breakerRow({ route, path, state, forMs }: z.infer<typeof breaker>): TargetRow {
  return [route === undefined ? `breaker of ${path}` : `breaker of route ${route}`, state, forMs];
}

function leftOut(count: number, what: string): readonly TargetRow[] {
  return count === 0 ? [] : [[`${count} more ${what}`, 'not shown']];
}

function time(ms = 0): string {
  return ms === 0 ? '-' : `${Math.ceil(ms / 1000)}s`;
}
