// `invokectl resiliency`: asks sidecars how things stand with those that they call, and shows it.
import { type IncomingMessage, request } from 'node:http';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { parseJson } from '../../kit/json.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { HostPort } from '../../kit/values.ts';
import { type ClusterOptions, openCluster } from '../cluster.ts';
import { EXIT, type Host, nonEmpty, say } from '../host.ts';
import { type RecordScope, readRecords } from '../records.ts';
import type { CheckFormat } from '../values.ts';
import { podReports, podTable } from './pods.ts';
import { readAnswer, type SidecarAnswer, table } from './table.ts';

export interface ResiliencyScope {
  /** Empty stands for all of them. */
  readonly apps: readonly string[];
  readonly namespace: RecordScope;
  /** In place of what runs on this machine. */
  readonly address: HostPort | undefined;
}

export async function clusterResiliencyCommand(
  { apps, namespace }: Omit<ResiliencyScope, 'address'>,
  cluster: ClusterOptions,
  format: CheckFormat,
  host: Host,
): Promise<number> {
  const opened = openCluster(cluster, host);
  const read = opened.ok ? await podReports(opened.value, namespace, apps) : opened;
  if (!read.ok) {
    say(host, `the cluster cannot be looked at: ${read.error}`);
    return EXIT.unavailable;
  }
  for (const problem of read.value.problems) say(host, problem);
  const text = format === 'json' ? `${JSON.stringify(read.value.reports, undefined, 2)}\n` : podTable(read.value);
  host.stdout.write(text);
  return read.value.problems.length === 0 ? EXIT.ok : EXIT.unavailable;
}

const ANSWER_MS = 5000;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export async function resiliencyCommand(scope: ResiliencyScope, format: CheckFormat, host: Host): Promise<number> {
  const found = scope.address === undefined ? await running(scope, host) : ok([scope.address]);
  if (!found.ok) {
    say(host, found.error);
    return EXIT.failed;
  }
  const asked = await Promise.all(found.value.map(async (address) => ({ address, answer: await ask(address, host) })));
  const answers = asked.flatMap(({ answer }) => (answer.ok ? [answer.value] : []));
  if (format === 'json') host.stdout.write(`${JSON.stringify(answers, undefined, 2)}\n`);
  else if (answers.length > 0) host.stdout.write(table(answers));
  for (const { address, answer } of asked)
    if (!answer.ok) say(host, `the sidecar at ${address.host}:${address.port} could not be asked: ${answer.error}`);
  return answers.length === asked.length ? EXIT.ok : EXIT.unavailable;
}

async function running({ apps, namespace }: ResiliencyScope, host: Host): Promise<Result<readonly HostPort[]>> {
  const records = await readRecords(namespace, host);
  if (!records.ok) return records;
  const absent = apps.filter((app) => records.value.every(({ appId }) => appId !== app));
  if (absent.length > 0) return err(`${absent.join(', ')} does not run; "invokectl list -A" shows what does`);
  const wanted = records.value.filter(({ appId }) => apps.length === 0 || apps.includes(appId));
  if (wanted.length === 0) say(host, 'nothing runs here; "invokectl list -A" shows all namespaces');
  return ok(wanted.map(({ httpPort }) => ({ host: '127.0.0.1', port: httpPort })));
}

async function ask({ host: hostName, port }: HostPort, host: Host): Promise<Result<SidecarAnswer>> {
  const token = nonEmpty(host.env.INVOKE_API_TOKEN) ?? nonEmpty(host.env.DAPR_API_TOKEN);
  const headers = token === undefined ? {} : { 'dapr-api-token': token };
  const gone = new AbortController();
  const cancel = host.clock.after(ANSWER_MS, () => gone.abort());
  try {
    const outgoing = request({
      host: hostName,
      port,
      path: '/v1.0/metadata',
      headers,
      agent: false,
      signal: gone.signal,
    });
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject).end();
    });
    const text = await textOf(answer);
    if (answer.statusCode === 401) return err('it asks for a token; set INVOKE_API_TOKEN to the one that its app has');
    if (answer.statusCode !== 200) return err(`it answered with status ${answer.statusCode}`);
    const json = parseJson(text);
    return json.ok ? readAnswer(json.value) : err('its answer is not JSON; is that the app API of a sidecar?');
  } catch (error) {
    if (gone.signal.aborted) return err(`no answer within ${ANSWER_MS / 1000} s`);
    if (codeOf(error) === 'ECONNREFUSED')
      return err('nobody listens there; on this machine "invokectl list -A" shows the HTTP port of each');
    return err(messageOf(error));
  } finally {
    cancel();
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('its answer has no end');
  }
  return Buffer.concat(chunks).toString();
}
