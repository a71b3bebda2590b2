// How much of request bodies is held at once. The API server shows no certificate, so whoever reaches the port may post to it:
// nobody gets all the room there is, and what all get together fits the memory of a replica.
import type { RequestHandler } from 'express';

export interface BodyLimits {
  /** Of one body. */
  readonly bytesMax: number;
  /** Of all that one address has under way. */
  readonly bytesPerAddressMax: number;
  readonly bytesAtOnceMax: number;
}

/** Lets a request in when there is room for the body that it announces, which it holds until it is answered. */
export function boundBodies({ bytesMax, bytesPerAddressMax, bytesAtOnceMax }: BodyLimits): RequestHandler {
  const held = new Map<string, number>();
  let heldAtOnce = 0;
  const add = (from: string, bytes: number) => {
    const left = (held.get(from) ?? 0) + bytes;
    if (left === 0) held.delete(from);
    else held.set(from, left);
    heldAtOnce += bytes;
  };
  const refusalOf = (from: string, bytes: number): readonly [status: number, says: string] | undefined => {
    if (Number.isNaN(bytes)) return [411, 'reads only bodies whose length is told before'];
    if (bytes > bytesMax) return [413, `reads JSON of at most ${bytesMax / 2 ** 20} MiB`];
    const isFull = (held.get(from) ?? 0) + bytes > bytesPerAddressMax || heldAtOnce + bytes > bytesAtOnceMax;
    return isFull ? [503, 'has too much to read just now; try again'] : undefined;
  };
  return (request, reply, next) => {
    const from = request.socket.remoteAddress ?? '';
    const bytes = Number(request.headers['content-length'] ?? Number.NaN);
    const refusal = refusalOf(from, bytes);
    if (refusal !== undefined) {
      const [status, says] = refusal;
      // Else the rest of the body would be read all the same, to get to the next request.
      reply.status(status).set('connection', 'close').type('text').send(`Invoke's webhook ${says}\n`);
      return;
    }
    add(from, bytes);
    reply.once('close', () => add(from, -bytes));
    next();
  };
}
