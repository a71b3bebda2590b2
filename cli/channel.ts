// What `invokectl run` and the sidecar that it started say to each other over their IPC channel. When the channel
// closes, the sidecar ends, and the app with it: neither outlives the one who started them.
import type { SidecarPorts } from '../sidecar/sidecar.ts';

export type FromSidecar =
  /** It serves. */
  | { readonly kind: 'started'; readonly ports: SidecarPorts }
  /** It could not start, for the reason in the message; it ends by itself. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Somebody asked it to stop (`invokectl stop`); the app has to go first. */
  | { readonly kind: 'stop-asked' }
  /** What was under way when it was told to drain has been served. */
  | { readonly kind: 'drained' };

export type ToSidecar =
  /** The app runs; should the channel close while it does, it is to be ended too. */
  | { readonly kind: 'app-started'; readonly pid: number }
  /** Refuse new inbound calls and take the name back; the app may still call out. */
  | { readonly kind: 'drain' }
  /** The app is gone. */
  | { readonly kind: 'stop' };

/** Both ends are this very program: only what could come from somebody else's channel is told apart. */
export function isFromSidecar(message: unknown): message is FromSidecar {
  return ['started', 'failed', 'stop-asked', 'drained'].includes(kindOf(message));
}

export function isToSidecar(message: unknown): message is ToSidecar {
  return ['app-started', 'drain', 'stop'].includes(kindOf(message));
}

function kindOf(message: unknown): string {
  return typeof message === 'object' && message !== null && 'kind' in message ? String(message.kind) : '';
}
