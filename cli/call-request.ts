// What `invokectl call` is asked for, read and checked.
import { checkedHeaders } from '../api/headers.ts';
import { parseNamespace, parseTarget, type Target } from '../api/ids.ts';
import { parseVerb } from '../api/verb.ts';
import type { LogLevel } from '../kit/log.ts';
import { err, must, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';
import type { RawFlags } from './flag-table.ts';
import { readFlags, type SidecarSettings } from './flags.ts';
import type { Host } from './host.ts';

export interface CallRequest {
  readonly settings: SidecarSettings;
  readonly target: Target;
  /** The path at the app, without its leading slash, and the query if any. */
  readonly method: string;
  readonly verb: string | undefined;
  /** [name, value, …] */
  readonly headers: readonly string[];
  readonly body: BodySource | undefined;
  /** Prints the status line and the headers too. */
  readonly isVerbose: boolean;
}

export type BodySource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' };

/** As commander hands them over. */
export interface CallOptions {
  readonly data?: string;
  readonly verb?: string;
  readonly header?: readonly string[];
  readonly as: string;
  readonly include?: boolean;
}

/** `-` is the standard input, `@file` a file, anything else the body itself. */
function parseBodySource(text: string): BodySource {
  if (text === '-') return { kind: 'stdin' };
  return text.startsWith('@') ? { kind: 'file', path: text.slice(1) } : { kind: 'text', text };
}

/** How the call went is said by `call` itself; its sidecar's log would say it again. */
export const CALL_LOG_LEVEL: LogLevel = 'error';

/** Or every mistake, one sentence each. */
export function readCall(
  app: string,
  method: string,
  options: CallOptions,
  raw: RawFlags,
  host: Host,
): Result<CallRequest, readonly string[]> {
  const logLevel = [{ flag: '--log-level', text: CALL_LOG_LEVEL }];
  const settings = readFlags({ logLevel, ...raw, appId: [{ flag: '--as', text: options.as }] }, host);
  const namespace = settings.ok ? settings.value.config.namespace : must(parseNamespace('default'));
  const target = app.includes('://') ? err(outside(app)) : parseTarget(app, namespace);
  const headers = readHeaders(options.header ?? []);
  const verb = options.verb === undefined ? ok(undefined) : parseVerb(options.verb.toUpperCase());
  const mistakes = [
    ...(settings.ok ? [] : settings.error),
    ...(target.ok ? [] : [target.error]),
    ...(headers.ok ? [] : [`--header: ${headers.error}`]),
    ...(verb.ok ? [] : [`--verb: ${verb.error}`]),
  ];
  if (!settings.ok || !target.ok || !headers.ok || !verb.ok || mistakes.length > 0) return err(mistakes);
  const { config } = settings.value;
  // A call takes nobody's default ports.
  const ports = {
    httpPort: { port: 0, isFlexible: true },
    grpcPort: undefined,
    metricsPort: undefined,
    listenAddresses: ['127.0.0.1'],
  };
  return ok({
    settings: { ...settings.value, config: { ...config, ...ports } },
    target: target.value,
    method: method.replace(/^\//, '').replace(/[^\x21-\x7e]+/g, encodeURIComponent),
    verb: verb.value,
    headers: headers.value,
    body: options.data === undefined ? undefined : parseBodySource(options.data),
    isVerbose: options.include === true,
  });
}

function outside(url: string): string {
  return `"${excerpt(url)}" is no app, and "invokectl call" calls apps; start a sidecar ("invokectl sidecar") and ask it with curl: localhost:PORT/v1.0/invoke/${excerpt(url)}/method/PATH`;
}

function readHeaders(texts: readonly string[]): Result<readonly string[]> {
  const broken = texts.find((text) => !text.includes(':'));
  if (broken !== undefined) return err(`"${broken}" is not a header; write name: value`);
  return checkedHeaders(
    texts.flatMap((text) => [text.slice(0, text.indexOf(':')).trim(), text.slice(text.indexOf(':') + 1).trim()]),
  );
}
