// One question to the app whether it is healthy, in the protocol that it speaks.
import type { Cancel, Clock } from '../../kit/clock.ts';
import { GrpcAnswer, type GrpcEnd, grpcRequest } from '../../wire/grpc-call.ts';
import type { Http2ClientConnection } from '../../wire/http2/client.ts';
import type { Fields, Flow, Requester, RequestHead, ResponseReceiver, WireFailure } from '../../wire/message.ts';
import { authority } from './address.ts';
import type { Ask } from './ask.ts';
import type { AppAddress, ConnectProblem } from './connect.ts';
import type { AppHttp2Pool } from './http2-pool.ts';
import { type AppConnection, AppPool, type AppWaiter } from './pool.ts';

/** What is asked of an app that speaks HTTP. */
export interface HttpQuestion {
  readonly path: string;
  /** Shows the app that its own sidecar asks. */
  readonly token: string | undefined;
}

export type Answered = (problem: string | undefined) => void;

/** By HTTP/1.1, on a connection of its own: no call can be in the way. */
export function askHttp1(address: AppAddress, clock: Clock, question: HttpQuestion): Ask {
  return askHttp1As(address, clock, requestHead(question, authority(address.host, address.port), undefined), isSuccess);
}

/** The same in other words; `isGood`: which statuses are good answers. */
export function askHttp1As(
  address: AppAddress,
  clock: Clock,
  head: RequestHead,
  isGood: (status: number) => boolean,
): Ask {
  return (answered) => {
    const pool = new AppPool(address, clock, { connectionsMax: 1, idleMax: 0 });
    const probe = new Http1Probe(pool, head, isGood, answered);
    return () => probe.cancel();
  };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** By HTTP/2, on the connection of the calls. */
export function askHttp2(pool: AppHttp2Pool, question: HttpQuestion): Ask {
  const head = requestHead(question, pool.authority, pool.scheme);
  return (answered) =>
    onConnection(pool, answered, (connection) => {
      const requester = connection.request(head, new StatusReader(head.target, isSuccess, answered));
      requester.end([]);
      return requester;
    });
}

const HEALTH_CHECK = '/dapr.proto.runtime.v1.AppCallbackHealthCheck/HealthCheck';
/** google.protobuf.Empty, as a message of gRPC. */
const EMPTY_MESSAGE = Buffer.alloc(5);
const ANSWER_BYTES_MAX = 64 * 1024;

/** By gRPC, on the connection of the calls. */
export function askGrpc(pool: AppHttp2Pool, token: string | undefined): Ask {
  return (answered) =>
    onConnection(pool, answered, (connection) => {
      const ended = (end: GrpcEnd) => answered(grpcProblem(end));
      const answer = new GrpcAnswer(ANSWER_BYTES_MAX, { message: () => undefined, ended });
      const requester = connection.request(grpcRequest(pool, HEALTH_CHECK, tokenField(token)), answer);
      requester.data(EMPTY_MESSAGE);
      requester.end([]);
      return requester;
    });
}

const NOT_WANTED: WireFailure = { kind: 'reset', reason: 'nobody waits for the answer' };

export function onConnection(
  pool: AppHttp2Pool,
  answered: Answered,
  ask: (connection: Http2ClientConnection) => Requester,
): Cancel {
  const { ready } = pool;
  let requester = ready && ask(ready);
  const leave =
    ready === undefined
      ? pool.wait((found) => {
          if (found.ok) requester = ask(found.value);
          else answered(noConnection(found.error));
        })
      : undefined;
  return () => {
    leave?.();
    requester?.cancel(NOT_WANTED);
  };
}

class Http1Probe implements AppWaiter {
  readonly #pool: AppPool;
  readonly #head: RequestHead;
  readonly #isGood: (status: number) => boolean;
  readonly #answered: Answered;
  #connection: AppConnection | undefined;
  #requester: Requester | undefined;

  constructor(pool: AppPool, head: RequestHead, isGood: (status: number) => boolean, answered: Answered) {
    this.#pool = pool;
    this.#head = head;
    this.#isGood = isGood;
    this.#answered = answered;
    pool.wait(this);
  }

  connected(connection: AppConnection): void {
    this.#connection = connection;
    const told = (problem: string | undefined) => {
      this.#pool.release(connection);
      this.#answered(problem);
    };
    this.#requester = connection.request(this.#head, new StatusReader(this.#head.target, this.#isGood, told));
    this.#requester.end([]);
  }

  unreachable(problem: ConnectProblem): void {
    this.#answered(noConnection(problem));
  }

  cancel(): void {
    this.#pool.leave(this);
    if (this.#connection === undefined) {
      this.#pool.destroy();
      return;
    }
    this.#requester?.cancel(NOT_WANTED);
    this.#pool.release(this.#connection);
  }
}

/** The status is all that counts. */
class StatusReader implements ResponseReceiver {
  readonly #path: string;
  readonly #isGood: (status: number) => boolean;
  readonly #answered: Answered;
  #status = 0;

  constructor(path: string, isGood: (status: number) => boolean, answered: Answered) {
    this.#path = path;
    this.#isGood = isGood;
    this.#answered = answered;
  }

  informational(): void {}

  head({ status }: { readonly status: number }): void {
    this.#status = status;
  }

  data(): Flow {
    return 'ok';
  }

  end(_trailers: Fields): void {
    this.#answered(this.#isGood(this.#status) ? undefined : `GET ${this.#path} was answered with ${this.#status}`);
  }

  abort({ reason }: WireFailure): void {
    this.#answered(`GET ${this.#path} was not answered: ${reason}`);
  }

  resume(): void {}

  cancel(): void {}
}

function grpcProblem(end: GrpcEnd): string | undefined {
  if (end.kind !== 'status') return `HealthCheck was not answered: ${end.reason}`;
  if (end.status === 12) return 'it does not serve dapr.proto.runtime.v1.AppCallbackHealthCheck (UNIMPLEMENTED)';
  return end.status === 0 ? undefined : `HealthCheck was answered with the gRPC status ${end.status}`;
}

export function noConnection({ cause }: { readonly cause: string }): string {
  return `there is no connection to it: ${cause}`;
}

function requestHead({ path, token }: HttpQuestion, to: string, scheme: RequestHead['scheme']): RequestHead {
  return {
    method: 'GET',
    target: path,
    authority: to,
    scheme,
    fields: ['user-agent', 'invoke', ...tokenField(token)],
    bodyBytes: 0,
    upgrade: undefined,
    expectsContinue: false,
  };
}

function tokenField(token: string | undefined): Fields {
  return token === undefined ? [] : ['dapr-api-token', token];
}
