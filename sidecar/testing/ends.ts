// For tests of what stands before an app: both ends of calls, which write down what they hear, and the app's side in the test's hands.
import type { Call } from '../../api/call.ts';
import type { ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { canonicalPath } from '../../api/path.ts';
import { must } from '../../kit/result.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { identityOf } from './mesh.ts';
import { permitted } from './permitted.ts';

/** A call that came as far as the app, what it heard of the request, and the end by which it answers. */
export interface InApp {
  readonly path: string;
  readonly heard: string[];
  readonly reply: ReplyEnd;
}

export class AppSide {
  readonly calls: InApp[] = [];

  readonly open = (call: PermittedCall, reply: ReplyEnd): RequestEnd => {
    const heard: string[] = [];
    this.calls.push({ path: call.path, heard, reply });
    return {
      data: (chunk) => {
        heard.push(String(chunk));
        return 'ok';
      },
      end: () => heard.push('end'),
      ...steering(heard),
    };
  };

  get paths(): string[] {
    return this.calls.map(({ path }) => path);
  }

  /** Answers a call by its number. */
  answer(number: number, status = 200): void {
    this.calls[number]?.reply.head({ status, headers: [], bodyBytes: undefined });
    this.calls[number]?.reply.end([]);
  }
}

/** The end of a caller. */
export function callerSide(heard: string[]): ReplyEnd {
  return {
    head: ({ status }) => heard.push(`head ${status}`),
    data: () => 'ok',
    end: () => heard.push('end'),
    ...steering(heard),
  };
}

function steering(heard: string[]): Pick<RequestEnd, 'abort' | 'resume' | 'cancel'> {
  return {
    abort: ({ code }) => heard.push(`abort ${code}`),
    resume: () => heard.push('resume'),
    cancel: ({ code }) => heard.push(`cancel ${code}`),
  };
}

/** A POST of `web` to `shop`. */
export function callTo(path: string, more: Partial<Pick<Call, 'caller' | 'deadlineMs'>> = {}): PermittedCall {
  const call: Call = {
    ...{ kind: 'http', target: identityOf('shop'), caller: identityOf('web'), method: 'POST' },
    ...{
      path: must(canonicalPath(path)),
      query: '',
      headers: [],
      bodyBytes: undefined,
      hops: 1,
      deadlineMs: undefined,
    },
    ...more,
  };
  return permitted(call);
}
