// PINGs of ours that are under way (RFC 9113, 6.7). They are answered in order, and told apart by a count.
export class Pings {
  #sent = 0;
  readonly #waiting: { readonly count: number; readonly done: () => void }[] = [];

  /** The payload to send; `done` is called when it has come back, and never if the connection ends first. */
  begin(done: () => void): Buffer {
    this.#sent += 1;
    this.#waiting.push({ count: this.#sent, done });
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(this.#sent, 4);
    return payload;
  }

  /** What comes back and was never sent means nothing. */
  acknowledged(payload: Buffer): void {
    const [first] = this.#waiting;
    if (first === undefined || payload.readUInt32BE(0) !== 0 || payload.readUInt32BE(4) !== first.count) return;
    this.#waiting.shift();
    first.done();
  }
}
