// `invokectl call`: one call to an app, through a sidecar that lives in this process for as long as the call does.
import { createReadStream } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { headerPairs, headerValue } from '../api/headers.ts';
import { targetName } from '../api/ids.ts';
import { messageOf, whyUnreadable } from '../kit/errors.ts';
import { parseJson } from '../kit/json.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { Names } from '../sidecar/resolve/resolver.ts';
import type { BodySource, CallRequest } from './call-request.ts';
import { EXIT, exitCodeOf, type Host, say } from './host.ts';
import { type HostedSidecar, hostSidecar, openLog } from './host-sidecar.ts';
import { untilProven } from './proven.ts';

const PROVEN_WITHIN_MS = 15_000;

export async function callCommand(call: CallRequest, host: Host): Promise<number> {
  const started = await hostSidecar(call.settings, host, openLog(call.settings.log, host), findOnly);
  if (!started.ok) {
    say(host, started.error);
    return EXIT.failed;
  }
  const sidecar = started.value;
  const stop = new AbortController();
  const stopped = new Promise<number>((resolve) => {
    host.onSignal((signal) => {
      resolve(exitCodeOf(null, signal));
      // Hanging up is how the app learns that nobody waits any more.
      stop.abort();
    });
  });
  const exitCode = await Promise.race([stopped, callThrough(sidecar, call, host, stop.signal)]);
  sidecar.stop();
  await sidecar.done;
  return exitCode;
}

/** A caller for one call is nobody's endpoint, least of all that of the app whose name it may have borrowed. */
function findOnly(names: Names): Names {
  return { ...names, announce: () => ({ setReady: () => undefined, withdraw: () => undefined }) };
}

async function callThrough(
  sidecar: HostedSidecar,
  call: CallRequest,
  host: Host,
  stopped: AbortSignal,
): Promise<number> {
  const { apiToken } = call.settings.config;
  const proven = await untilProven(sidecar, PROVEN_WITHIN_MS, host.clock);
  if (!proven.ok) {
    say(host, proven.error);
    return EXIT.unavailable;
  }
  const body = await openBody(call.body, host);
  if (!body.ok) {
    say(host, body.error);
    return EXIT.usage;
  }
  const { target, method, headers } = call;
  const outgoing = request({
    host: '127.0.0.1',
    port: sidecar.ports.http,
    method: call.verb ?? (call.body === undefined ? 'GET' : 'POST'),
    path: `/v1.0/invoke/${targetName(target)}/method/${method}`,
    headers: headersOf(call, headers, apiToken),
    agent: false,
    signal: stopped,
  });
  try {
    return await exchange(outgoing, body.value, call, host);
  } catch (error) {
    if (!stopped.aborted) say(host, `the call broke: ${messageOf(error)}`);
    return EXIT.unavailable;
  }
}

async function exchange(
  outgoing: ClientRequest,
  body: Readable | string,
  call: CallRequest,
  host: Host,
): Promise<number> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  if (typeof body === 'string') outgoing.end(body);
  // An answer may come before the body has ended, and counts all the same.
  else pipeline(body, outgoing).catch(() => undefined);
  const answer = await answered;
  outgoing.on('error', () => undefined);
  const exitCode = await print(answer, call, host);
  outgoing.destroy();
  return exitCode;
}

async function print(answer: IncomingMessage, call: CallRequest, host: Host): Promise<number> {
  const status = answer.statusCode ?? 0;
  if (call.isVerbose) host.stdout.write(head(answer));
  const faultCode = answer.headers['invoke-fault'];
  if (typeof faultCode === 'string') {
    say(host, `${status} ${faultCode}: ${await faultMessage(answer)}`);
    return EXIT.unavailable;
  }
  answer.pipe(host.stdout, { end: false });
  await finished(answer);
  if (status < 400) return EXIT.ok;
  say(host, `${targetName(call.target)} answered with status ${status}`);
  return EXIT.failed;
}

function head(answer: IncomingMessage): string {
  const status = `HTTP/${answer.httpVersion} ${answer.statusCode} ${answer.statusMessage}`;
  const fields = headerPairs(answer.rawHeaders).map(([name, value]) => `${name}: ${value}`);
  return `${[status, ...fields].join('\n')}\n\n`;
}

/** A fault's body is `{errorCode, message, details}`. */
async function faultMessage(answer: IncomingMessage): Promise<string> {
  const text = (await answer.toArray()).join('');
  const json = parseJson(text);
  const body = json.ok ? json.value : undefined;
  // What is no fault of ours is printed as it is.
  return typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : text;
}

function headersOf({ body }: CallRequest, given: readonly string[], apiToken: string | undefined): string[] {
  const headers = [...given];
  const add = (name: string, value: string) => {
    if (headerValue(given, name) === undefined) headers.push(name, value);
  };
  add('host', 'localhost');
  if (body !== undefined) add('content-type', contentType(body));
  if (body?.kind === 'text') add('content-length', String(Buffer.byteLength(body.text)));
  else if (body !== undefined) add('transfer-encoding', 'chunked');
  if (apiToken !== undefined) add('dapr-api-token', apiToken);
  return headers;
}

function contentType(body: BodySource): string {
  if (body.kind === 'text') return parseJson(body.text).ok ? 'application/json' : 'text/plain; charset=utf-8';
  return body.kind === 'file' && body.path.endsWith('.json') ? 'application/json' : 'application/octet-stream';
}

async function openBody(source: BodySource | undefined, host: Host): Promise<Result<Readable | string>> {
  if (source === undefined) return ok('');
  if (source.kind === 'text') return ok(source.text);
  if (source.kind === 'stdin') return ok(host.stdin);
  const path = resolve(host.cwd, source.path);
  const file = createReadStream(path);
  return new Promise((resolve) => {
    file.once('open', () => resolve(ok(file)));
    file.once('error', (error) => resolve(err(`--data: ${path} cannot be read: ${whyUnreadable(error)}`)));
  });
}
