// A call as people write it, to ask what policies say of it: `web.front GET orders.shop /orders/7`.

import { grpcPath } from '../api/grpc-path.ts';
import {
  type Identity,
  type Namespace,
  parseSpiffeId,
  parseTarget,
  type Target,
  type TrustDomain,
} from '../api/ids.ts';
import { canonicalPath } from '../api/path.ts';
import { parseVerb } from '../api/verb.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';
import { type AccessCall, methodWord } from '../policy/access/call.ts';

export interface Question {
  readonly target: Target;
  readonly call: AccessCall;
}

export interface QuestionWords {
  /** `app`, `app.namespace`, or a SPIFFE ID for somebody of another trust domain. */
  readonly caller: string;
  /** A method of HTTP; `GRPC`, or `WEBSOCKET`. */
  readonly method: string;
  /** `app` or `app.namespace`. */
  readonly target: string;
  /** A path, or `package.Service/Method`. */
  readonly path: string;
}

export interface QuestionDefaults {
  readonly namespace: Namespace;
  readonly trustDomain: TrustDomain;
}

/** Or each mistake in it, a sentence each. */
export function readQuestion(words: QuestionWords, defaults: QuestionDefaults): Result<Question, readonly string[]> {
  const caller = readCaller(words.caller, defaults);
  const target = parseTarget(words.target, defaults.namespace);
  const asked = readOperation(words);
  if (!caller.ok || !target.ok || !asked.ok) {
    const all: readonly (readonly [string, Result<unknown>])[] = [
      ['the caller', caller],
      ['the app that is called', target],
      ['the call', asked],
    ];
    return err(all.flatMap(([what, read]) => (read.ok ? [] : [`${what}: ${read.error}`])));
  }
  return ok({ target: target.value, call: { caller: caller.value, ...asked.value } });
}

function readCaller(text: string, { namespace, trustDomain }: QuestionDefaults): Result<Identity> {
  if (text.startsWith('spiffe://')) return parseSpiffeId(text);
  const target = parseTarget(text, namespace);
  return target.ok ? ok({ ...target.value, trustDomain }) : target;
}

function readOperation({ method, path }: QuestionWords): Result<Omit<AccessCall, 'caller'>> {
  const name = method.toUpperCase();
  if (name === 'GRPC') {
    const read = grpcPath(path.startsWith('/') ? path : `/${path}`);
    return read.ok ? ok({ kind: 'grpc', method: 'POST', path: read.value }) : err(read.error.message);
  }
  if (!path.startsWith('/')) return err(`"${excerpt(path)}" is no path; a path begins with a slash, such as /orders/7`);
  const verb = name === 'WEBSOCKET' ? ok('GET') : parseVerb(name);
  if (!verb.ok) return verb;
  const [plain = ''] = path.split('?');
  const canonical = canonicalPath(Buffer.from(plain).toString('latin1'));
  if (!canonical.ok) return err(`a sidecar refuses ${excerpt(plain)}: ${canonical.error}`);
  return ok({ kind: name === 'WEBSOCKET' ? 'tunnel' : 'http', method: verb.value, path: canonical.value });
}

/** `GET orders.shop /orders/7`, as test files have it. */
export function readCallWords(text: string): Result<Omit<QuestionWords, 'caller'>> {
  const [method, target, path, ...rest] = text.trim().split(/\s+/);
  if (method === undefined || target === undefined || path === undefined || rest.length > 0) {
    return err(`"${excerpt(text)}" is no call; write such as GET orders.shop /orders/7`);
  }
  return ok({ method, target, path });
}

/** As it is judged, in the same words. */
export function printedCall({ target, call }: Question): string {
  return `${methodWord(call)} ${target.app}.${target.namespace} ${excerpt(call.path, 256)}`;
}
