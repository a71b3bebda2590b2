// Where the state of an authority lives: a folder of one machine (folder-store.ts), or a Secret that replicas share
// (secret-store.ts).
import type { Result } from '../../kit/result.ts';
import type { AuthorityState, Place, StoredState } from './state.ts';

/** From the newest state (undefined: there is none) to the next. With the same slots, nothing is written. */
export type Change = (state: StoredState | undefined) => Promise<Result<AuthorityState>>;

export interface Updated {
  readonly before: StoredState | undefined;
  readonly after: AuthorityState;
}

/** Failures say what is wrong and what to do. No method rejects. */
export interface StateStore {
  readonly place: Place;
  /** Undefined: there is no trace of an authority. */
  read(): Promise<Result<StoredState | undefined>>;
  /** Compare-and-swap: nobody's change is lost. `change` runs again where somebody else was first. */
  update(change: Change): Promise<Result<Updated>>;
}
