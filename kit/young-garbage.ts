// Buffers that a large body leaves behind, collected while that is cheap.
//
// A buffer is a few bytes in the engine's heap and many outside of it. So a body of a megabyte hardly fills the young
// generation, whose collection would free its buffers in half a millisecond; they pile up until what is outside of the heap
// makes the engine mark all of the heap, which costs tens of times as much. Measured (1 MiB bodies, 20 a second): two fifths of
// a sidecar's processor time. Whoever makes such garbage says so here, and the young generation is collected a little sooner.

/** The platform's `gc`, which is there where it was started with --expose-gc. */
export type CollectYoung = () => void;

const BYTES_MAX = 2 * 1024 * 1024;

let collectYoung: CollectYoung | undefined;
let leftBytes = 0;

/** Said once, by the main file; where it is not said, the engine decides alone. */
export function collectYoungGarbageBy(collect: CollectYoung | undefined): void {
  collectYoung = collect;
}

/** Buffers of so many bytes in all will soon be nobody's. */
export function leavesBuffers(bytes: number): void {
  leftBytes += bytes;
  if (leftBytes < BYTES_MAX) return;
  leftBytes = 0;
  // By the end of the turn most of them are.
  if (collectYoung !== undefined) setImmediate(collectYoung);
}
