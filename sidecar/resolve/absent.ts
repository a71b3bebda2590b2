// The faults of a name that leads nowhere, in words that say what to do next. Every maker of Names shares them.
import { type Fault, fault } from '../../api/fault.ts';
import type { Target } from '../../api/ids.ts';
import { isSlipOf } from '../../kit/text.ts';

/** For how long a name counts as lately gone. */
export const LATELY_MS = 3_600_000;

/** Who was asked, and what to do about a name that they do not know. */
export interface Asked {
  readonly where: string;
  readonly advice: (target: Target) => string;
}

export const thisMachine: Asked = {
  where: 'on this machine',
  advice: (target) => `${howToStart(target)}; "invokectl list -A" shows who is there`,
};

export const thisNetwork: Asked = {
  where: 'on this network',
  advice: (target) => `${howToStart(target, '--name-resolution mdns')}`,
};

export const givenList: Asked = {
  where: 'in the list given with --peer',
  advice: ({ app }) => `Add it to the list: --peer ${app}=HOST:PORT`,
};

/** Never heard of. `known` are the apps that are there, for help with a slip of the pen. */
export function unknownApp(target: Target, known: readonly Target[], { where, advice }: Asked): Fault {
  const { app, namespace } = target;
  return fault(
    'unknown-app',
    `no app "${app}" in namespace "${namespace}" is known ${where}.${meant(target, known)} ${advice(target)}`,
  );
}

/** It was there a moment ago. Times are epoch milliseconds. */
export function goneApp(target: Target, lastSeenAt: number, now: number): Fault {
  const agoSec = Math.max(0, Math.round((now - lastSeenAt) / 1000));
  return fault(
    'no-endpoint',
    `the app "${target.app}" in namespace "${target.namespace}" has stopped: last seen at ` +
      `${new Date(lastSeenAt).toISOString()}, ${agoSec} s ago. ${howToStart(target)} again`,
  );
}

/** There, and not ready to take calls. */
export function startingApp(target: Target): Fault {
  return fault(
    'no-endpoint',
    `the app "${target.app}" in namespace "${target.namespace}" is starting: none of its instances is ready yet; ` +
      'try again in a moment, and if it stays so, see whether the app listens on its --app-port and passes its health check, if it has one',
  );
}

/** It runs, and names of its kind are not looked up where this one was. */
export function unregisteredApp({ app, namespace }: Target): Fault {
  return fault(
    'unknown-app',
    `the app "${app}" in namespace "${namespace}" runs on this machine with --peer or --name-resolution mdns, and so ` +
      'is not in its registry. Start it without these flags, or find it as the others do that call it',
  );
}

function howToStart({ app, namespace }: Target, flags = ''): string {
  const further = [namespace === 'default' ? '' : `--namespace ${namespace}`, flags].filter((flag) => flag !== '');
  return `Start it with "${['invokectl run --app-id', app, ...further].join(' ')} --app-port PORT -- COMMAND"`;
}

const CLOSE_NAMES_MAX = 3;

function meant(target: Target, known: readonly Target[]): string {
  const elsewhere = known.filter((other) => other.app === target.app && other.namespace !== target.namespace);
  const close = known.filter((other) => other.namespace === target.namespace && isSlipOf(other.app, target.app));
  const names = [...elsewhere.map((other) => `${other.app}.${other.namespace}`), ...close.map((other) => other.app)];
  const unique = [...new Set(names)].slice(0, CLOSE_NAMES_MAX);
  return unique.length === 0 ? '' : ` Did you mean ${unique.map((name) => `"${name}"`).join(' or ')}?`;
}
