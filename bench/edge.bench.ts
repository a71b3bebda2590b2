// What each trick on a call's way through the edge gains over the plain way: `node bench/edge.bench.ts`.
import { headerValue } from '../api/headers.ts';
import { parseNamespace, parseTarget, type Target, targetName } from '../api/ids.ts';
import { canonicalPath } from '../api/path.ts';
import { must } from '../kit/result.ts';
import { saidToSidecar } from '../sidecar/edge/said.ts';
import { printComparison } from './compare.ts';

/** A text as a request brings it: cut out of its head, so that nothing is known of it yet, its hash included. */
const arriving = (text: string) => {
  const head = Buffer.from(`GET ${text} HTTP/1.1\r\nhost: localhost:3500\r\n\r\n`);
  return () => head.toString('latin1').slice(4, 4 + text.length);
};

plainPath();
knownTarget();
knownTargetName();
saidAtOnce();

function plainPath(): void {
  const path = arriving('/orders/17/lines');
  const segments = (raw: string) => raw.split('/').every((segment) => /^[-._~0-9A-Za-z!$&'()*+,=:@]*$/.test(segment));
  printComparison({
    title: 'a path: one look at the whole, and not one at each segment',
    plain: () => segments(path()),
    trick: () => canonicalPath(path()),
  });
}

function knownTarget(): void {
  const text = arriving('shop.billing');
  const own = must(parseNamespace('default'));
  printComparison({
    title: 'a target: found by its text, and not read anew',
    plain: () => {
      const [app = '', namespace = ''] = text().split('.');
      return /^[a-z]([-a-z0-9]{0,54}[a-z0-9])?$/.test(app) && parseNamespace(namespace).ok;
    },
    trick: () => parseTarget(text(), own),
  });
}

/** As every map by target does: the picker, the resolvers, the feed, the metrics. */
function knownTargetName(): void {
  const own = must(parseNamespace('default'));
  const targets = Array.from({ length: 16 }, (_, i) => must(parseTarget(`shop-${i}`, own)));
  const targetAt = (turn: number) => targets[turn & 15] as Target;
  const byName = new Map(targets.map((target) => [targetName(target), target]));
  printComparison({
    title: 'a map by target: asked by a name that stands',
    plain: (turn) => byName.get(`${targetAt(turn).app}.${targetAt(turn).namespace}`),
    trick: (turn) => byName.get(targetName(targetAt(turn))),
  });
}

function saidAtOnce(): void {
  const names = ['user-agent', 'accept', 'accept-encoding', 'content-type', 'x-request-id'];
  const fields = names.flatMap((name) => [Buffer.from(name).toString(), 'value']);
  const sought = ['expect', 'origin', 'sec-fetch-site', 'dapr-app-id', 'invoke-app-id', 'authorization'];
  const count = (list: readonly string[]) => sought.filter((name) => headerValue(list, name) !== undefined).length;
  printComparison({
    title: 'fields for the sidecar: looked for once, and then in a list of none',
    plain: () => count(fields),
    trick: () => count(saidToSidecar(fields)),
  });
}
