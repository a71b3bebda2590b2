// What the sidecars of this machine counted, at their metrics ports.
import type { Namespace } from '../../api/ids.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { askInTurns } from '../ask-in-turns.ts';
import type { Host } from '../host.ts';
import { readRecords } from '../records.ts';
import { countsIn } from './counts.ts';
import type { AuditFacts } from './facts.ts';

const TIMEOUT_MS = 5000;

export async function localFacts(namespace: Namespace | undefined, host: Host): Promise<Result<AuditFacts>> {
  const records = await readRecords(namespace, host);
  if (!records.ok) return records;
  const { answers, problems } = await askInTurns(records.value, async ({ appId, namespace: place, metricsPort }) => {
    const app = `${appId}.${place}`;
    if (metricsPort === undefined) return err(`${app} serves no metrics`);
    const page = await fetchPage(`http://127.0.0.1:${metricsPort}/metrics`);
    return page.ok ? ok(countsIn(page.value, app)) : err(`the metrics of ${app} cannot be read: ${page.error}`);
  });
  return ok({ policies: undefined, sidecars: answers.length, counts: answers.flat(), problems });
}

async function fetchPage(url: string): Promise<Result<string>> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return answer.ok ? ok(await answer.text()) : err(`${url} answers ${answer.status}`);
  } catch (error) {
    return err(`${url}: ${messageOf(error)}`);
  }
}
