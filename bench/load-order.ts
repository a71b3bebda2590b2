// What the load generator (load/) is told to do, and what it answers: lines of JSON on its standard input and output.

export interface LoadOrder extends Load {
  readonly port: number;
  /** Names of apps, called in turn. */
  readonly targets: readonly string[];
  /** At the same pace; nothing of it is counted. */
  readonly runUpMs: number;
  readonly measuredMs: number;
  /** Whose processor time is read at the beginning and at the end of what is measured. */
  readonly pids: readonly number[];
}

export interface Load {
  /**
   * `http`: a GET, or a POST where there is a body. `grpc-unary`: a stream for each call, with a deadline. `grpc-bidi`: streams that
   * stay, on which a call is a message and its echo.
   */
  readonly kind: 'http' | 'grpc-unary' | 'grpc-bidi';
  readonly connections: number;
  /** Of gRPC, over all connections: so many calls can be under way. Of HTTP/1.1 that is the number of connections. */
  readonly streams: number;
  /** One call was made on each, and no other is. */
  readonly idleConnections: number;
  /** Every other one is a download that is not read here, and an upload that the app does not read. */
  readonly stoppedReaders: number;
  /** Beside it all, one endless download that is read as fast as it comes. */
  readonly hasBulk: boolean;
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** Bodies say nothing of their length beforehand. */
  readonly isChunked: boolean;
  /** 0: saturated; each connection or stream asks again as soon as it is answered. */
  readonly perSecond: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface LoadResult {
  /** Answered in full, as expected, while it was measured. */
  readonly calls: number;
  /** At the given pace, those that fell due while it was measured; calls that are still to be answered are the difference. */
  readonly due: number;
  /** Answered otherwise, or not at all; the first reasons. */
  readonly failures: number;
  readonly reasons: readonly string[];
  readonly seconds: number;
  /** Of bodies and messages, both ways, of the calls that were answered. */
  readonly bytes: number;
  /** Read from the endless download. */
  readonly bulkBytes: number;
  /** To the end of the answer: from when it was due, or from sending where nothing is ever due. */
  readonly latencyMicros: Percentiles & { readonly max: number };
  /** How late the generator itself was: from when a request was due to when it got round to it. */
  readonly lateMicros: Percentiles & { readonly max: number };
  /** In the order of `pids`. */
  readonly cpuMicros: readonly number[];
  /** Of the generator. */
  readonly ownCpuMicros: number;
}

export type FromLoad =
  | { readonly kind: 'measured'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly reason: string };
