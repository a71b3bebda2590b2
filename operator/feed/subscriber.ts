// One subscriber: what it is to hear of, what it has heard, and one message at a time on its way. While that one is not
// written, news of any number of changes wait as nothing but the name of what changed, so a slow one is told the newest alone.
import type { Content, Topic } from './topic.ts';

/** Takes one message; calls `written` once it may take another. */
export type WriteMessage = (message: Buffer, written: () => void) => void;

export class Subscriber {
  readonly #write: WriteMessage;
  /** What it was told last, of each topic that it is to hear of. */
  readonly #told = new Map<Topic, Content | undefined>();
  readonly #news = new Set<Topic>();
  #isWriting = false;
  #isOver = false;

  constructor(write: WriteMessage) {
    this.#write = write;
  }

  /** It is to hear of this from now on, beginning with what it says now. */
  add(topic: Topic): void {
    if (this.#told.has(topic)) return;
    this.#told.set(topic, undefined);
    this.#news.add(topic);
  }

  drop(topic: Topic): void {
    this.#told.delete(topic);
    this.#news.delete(topic);
  }

  /** There may be something new to say; `tell` looks. */
  notify(topic: Topic): void {
    if (this.#told.has(topic)) this.#news.add(topic);
  }

  /** Sends what is new, as fast as it is taken. */
  tell(): void {
    while (!this.#isWriting && !this.#isOver) {
      const [topic] = this.#news;
      if (topic === undefined) return;
      this.#news.delete(topic);
      const content = topic.content();
      if (this.#told.get(topic) === content) continue;
      this.#told.set(topic, content);
      this.#send(topic.message());
    }
  }

  /** Says no more. */
  end(): void {
    this.#isOver = true;
    this.#told.clear();
    this.#news.clear();
  }

  #send(message: Buffer): void {
    this.#isWriting = true;
    this.#write(message, () => {
      this.#isWriting = false;
      this.tell();
    });
  }
}
