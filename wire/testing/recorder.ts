// For tests: takes one message and keeps what it heard of it.
import { EventEmitter, once } from 'node:events';

import type { Fields, Flow, RequestReceiver, ResponseHead, ResponseReceiver, WireFailure } from '../message.ts';

export type Outcome =
  | { readonly kind: 'end'; readonly trailers: Fields }
  | { readonly kind: 'abort' | 'cancel'; readonly failure: WireFailure };

export class Recorder implements ResponseReceiver, RequestReceiver {
  readonly heads: ResponseHead[] = [];
  readonly informationals: { readonly status: number; readonly fields: Fields }[] = [];
  readonly chunks: Buffer[] = [];
  /** Every end that was heard: a message has one. */
  readonly outcomes: Outcome[] = [];
  resumes = 0;
  bytes = 0;
  readonly #events = new EventEmitter();
  /** Whether the next chunk meets a `pause`. */
  #isPausing = false;

  pauseAll(): this {
    this.#isPausing = true;
    return this;
  }

  goOn(): void {
    this.#isPausing = false;
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  get status(): number | undefined {
    return this.heads[0]?.status;
  }

  informational(status: number, fields: Fields): void {
    this.informationals.push({ status, fields });
  }

  head(head: ResponseHead): void {
    this.heads.push(head);
    this.#events.emit('head');
  }

  data(chunk: Buffer): Flow {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    this.#events.emit('data');
    return this.#isPausing ? 'pause' : 'ok';
  }

  end(trailers: Fields): void {
    this.#note({ kind: 'end', trailers });
  }

  abort(failure: WireFailure): void {
    this.#note({ kind: 'abort', failure });
  }

  cancel(failure: WireFailure): void {
    this.#note({ kind: 'cancel', failure });
  }

  resume(): void {
    this.resumes += 1;
    this.#events.emit('resume');
  }

  /** The first end that is heard, or was. */
  async outcome(): Promise<Outcome> {
    for (;;) {
      const [first] = this.outcomes;
      if (first !== undefined) return first;
      await once(this.#events, 'outcome');
    }
  }

  async headed(): Promise<void> {
    while (this.heads.length === 0 && this.outcomes.length === 0) await once(this.#events, 'head');
  }

  /** Once this many bytes have been heard. */
  async heard(bytes: number): Promise<void> {
    while (this.bytes < bytes) await once(this.#events, 'data');
  }

  async resumed(): Promise<void> {
    while (this.resumes === 0) await once(this.#events, 'resume');
  }

  #note(outcome: Outcome): void {
    this.outcomes.push(outcome);
    this.#events.emit('outcome');
    this.#events.emit('head');
  }
}
