// What the API server's refusals and a broken connection mean to the caller.
import { messageOf } from '../kit/errors.ts';
import { excerpt } from '../kit/text.ts';
import type { KubeFailure } from './kube.ts';

/** The part of a `Status` object that we read; who sends it may leave anything out. */
interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

const MESSAGE_LENGTH_MAX = 1000;

/** `asked` says what was wanted: `get pods shop/web-1`. */
export function failureOf(httpStatus: number, body: unknown, asked: string): KubeFailure {
  const status = statusOf(body);
  const code = status.code ?? httpStatus;
  const words = status.message ?? (typeof body === 'string' ? body.trim() : '');
  const reason = excerpt(words, MESSAGE_LENGTH_MAX);
  const message = `could not ${asked}: ${reason.startsWith(`${code}`) ? reason : `${code} ${reason}`}`.trimEnd();
  return { kind: kindOf(code, status.reason), message };
}

/** No answer at all, or only a part of one. */
export function unreachable(asked: string, error: unknown): KubeFailure {
  return { kind: 'unavailable', message: `could not ${asked}: ${excerpt(messageOf(error), MESSAGE_LENGTH_MAX)}` };
}

function kindOf(code: number, reason: string | undefined): KubeFailure['kind'] {
  if (code === 429 || code >= 500) return 'unavailable';
  switch (code) {
    case 400:
    case 413:
    case 422:
      return 'invalid';
    case 401:
    case 403:
      return 'forbidden';
    case 404:
      return 'not-found';
    case 409:
      return reason === 'AlreadyExists' ? 'already-exists' : 'conflict';
    case 410:
      return 'expired';
    default:
      return 'failed';
  }
}

function statusOf(body: unknown): Status {
  if (typeof body !== 'object' || body === null || !('kind' in body) || body.kind !== 'Status') return {};
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const code = 'code' in body && typeof body.code === 'number' ? body.code : undefined;
  const reason = text('reason' in body ? body.reason : undefined);
  const message = text('message' in body ? body.message : undefined);
  return { ...(code && { code }), ...(reason && { reason }), ...(message && { message }) };
}
