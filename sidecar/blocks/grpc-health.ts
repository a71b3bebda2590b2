// grpc.health.v1.Health: the truth of /v1.0/healthz for clients of gRPC. Who watches is told of each change, within a second.
import type { GrpcOutcome } from '../../api/exchange.ts';
import { fault } from '../../api/fault.ts';
import { lastUtf8, ProtoWriter, readFields } from '../../api/proto/protobuf.ts';
import { type Cancel, type Clock, every } from '../../kit/clock.ts';
import { excerpt } from '../../kit/text.ts';
import {
  answerSole,
  type GrpcMethod,
  type MethodAnswer,
  type MethodReceiver,
  SoleMessage,
  unaryMethod,
  unreadableMessage,
} from '../edge/grpc-methods.ts';
import type { HealthState } from './health.ts';

const SERVICE = '/grpc.health.v1.Health';
/** HealthCheckResponse.ServingStatus */
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
const NOT_FOUND = 5;

const LOOK_MS = 1000;
const WATCHERS_MAX = 1000;
const MESSAGE_BYTES_MAX = 4096;

const TOO_MANY: GrpcOutcome = {
  code: 8,
  message: `${WATCHERS_MAX} calls watch the health of this sidecar already; use Check.`,
  details: [],
};
const STOPPING = fault('draining', 'this sidecar is stopping.');

/** `isServed`: whether the port serves a service of this full name. All of them are as well as the server as a whole. */
export function healthMethods(
  state: HealthState,
  isServed: (service: string) => boolean,
  clock: Clock,
): readonly GrpcMethod[] {
  const statusOf = (service: string) => {
    if (service !== '' && !isServed(service)) return SERVICE_UNKNOWN;
    return state.ready() === undefined ? SERVING : NOT_SERVING;
  };
  const watchers = new Watchers(clock);
  return [
    unaryMethod(
      `${SERVICE}/Check`,
      (message, answer) =>
        asked(message, answer, (service) => {
          const status = statusOf(service);
          if (status === SERVICE_UNKNOWN) answer.finish(unknown(service));
          else answerSole(answer, encodeStatus(status));
        }),
      { isOpenToAll: true, messageBytesMax: MESSAGE_BYTES_MAX },
    ),
    {
      path: `${SERVICE}/Watch`,
      isOpenToAll: true,
      messageBytesMax: MESSAGE_BYTES_MAX,
      open: (_metadata, answer) => new Watcher(answer, watchers, statusOf),
      drain: () => watchers.drain(),
    },
  ];
}

function asked(message: Buffer, answer: MethodAnswer, then: (service: string) => void): void {
  const fields = readFields(message);
  if (fields.ok) then(lastUtf8(fields.value, 1));
  else answer.fail(unreadableMessage(fields.error));
}

function unknown(service: string) {
  return { code: NOT_FOUND, message: `this sidecar knows no service ${excerpt(service)}`, details: [] };
}

function encodeStatus(status: number): Buffer {
  const writer = new ProtoWriter(4);
  writer.uint(1, status);
  return writer.finish();
}

/** A call of Watch. Of changes that come while its caller does not read, it is told the last. */
class Watcher extends SoleMessage implements MethodReceiver {
  readonly #watchers: Watchers;
  readonly #answer: MethodAnswer;
  readonly #statusOf: (service: string) => number;
  #service = '';
  #told = 0;
  #isPaused = false;

  constructor(answer: MethodAnswer, watchers: Watchers, statusOf: (service: string) => number) {
    super(answer, (message) => asked(message, answer, (service) => this.#begin(service)));
    this.#watchers = watchers;
    this.#answer = answer;
    this.#statusOf = statusOf;
  }

  look(): void {
    const status = this.#statusOf(this.#service);
    if (this.#isPaused || status === this.#told) return;
    this.#told = status;
    this.#isPaused = this.#answer.message(encodeStatus(status)) === 'pause';
  }

  stop(): void {
    this.#isPaused = false;
    this.look();
    this.#answer.fail(STOPPING);
  }

  override gone(): void {
    this.#watchers.delete(this);
  }

  resume(): void {
    this.#isPaused = false;
    this.look();
  }

  #begin(service: string): void {
    this.#service = service;
    if (this.#watchers.add(this)) this.look();
    else this.#answer.finish(TOO_MANY);
  }
}

/** All calls of Watch. Without any, nothing wakes the sidecar. */
class Watchers {
  readonly #clock: Clock;
  readonly #all = new Set<Watcher>();
  #cancelLook: Cancel | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether there was a place. */
  add(watcher: Watcher): boolean {
    if (this.#all.size === WATCHERS_MAX) return false;
    this.#all.add(watcher);
    this.#cancelLook ??= every(this.#clock, LOOK_MS, () => {
      for (const each of this.#all) each.look();
    });
    return true;
  }

  delete(watcher: Watcher): void {
    this.#all.delete(watcher);
    if (this.#all.size > 0) return;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  drain(): void {
    for (const watcher of [...this.#all]) {
      watcher.stop();
      this.delete(watcher);
    }
  }
}
