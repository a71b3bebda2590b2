// Something that subscribers are told whenever it changes: the config of one app, or the endpoints of one.
//
// It is compiled when somebody wants it after a change, once for all who do. Only when the bytes of its content differ is there
// anything to tell: objects change and versions move without a word of it reaching anybody.
import { encodeFeedConfig, encodeFeedEndpoints, encodeFeedMessage, type FeedPart } from '../../api/proto/feed.ts';

export interface TopicOptions {
  /** What there is to tell now, with the versions of now. */
  readonly compile: () => FeedPart;
  /** The epoch and, in some spelling, those versions. */
  readonly stamp: () => { readonly epoch: number; readonly versions: string };
}

/** Without versions. As long as the bytes are equal it is the same object, so that `===` says whether somebody has it. */
export type Content = Buffer;

export class Topic {
  readonly #options: TopicOptions;
  #content: Content | undefined;
  #isOutdated = true;
  /** What the content was made of, for the message that tells it: not to be compiled twice for one change. */
  #fresh: { readonly part: FeedPart; readonly versions: string } | undefined;
  #message: { readonly content: Content; readonly stamp: string; readonly bytes: Buffer } | undefined;

  constructor(options: TopicOptions) {
    this.#options = options;
  }

  /** False when it was outdated already: whoever has to hear of that is about to. */
  outdate(): boolean {
    const isNews = !this.#isOutdated;
    this.#isOutdated = true;
    return isNews;
  }

  content(): Content {
    if (this.#content !== undefined && !this.#isOutdated) return this.#content;
    const part = this.#options.compile();
    const compiled = contentOf(part);
    this.#isOutdated = false;
    if (this.#content?.equals(compiled)) return this.#content;
    this.#content = compiled;
    this.#fresh = { part, versions: this.#options.stamp().versions };
    return compiled;
  }

  /** The content with the epoch and the versions of this moment. */
  message(): Buffer {
    const content = this.content();
    const { epoch, versions } = this.#options.stamp();
    const stamp = `${epoch} ${versions}`;
    if (this.#message?.content !== content || this.#message.stamp !== stamp) {
      const part = this.#fresh?.versions === versions ? this.#fresh.part : this.#options.compile();
      this.#message = { content, stamp, bytes: encodeFeedMessage({ epoch, part }) };
      this.#fresh = undefined;
    }
    return this.#message.bytes;
  }
}

function contentOf(part: FeedPart): Buffer {
  return part.kind === 'config'
    ? encodeFeedConfig({ ...part.config, versions: [] })
    : encodeFeedEndpoints({ ...part.endpoints, version: 0 });
}
