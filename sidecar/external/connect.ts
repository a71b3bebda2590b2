// Connecting to an outside service: its name is looked up, each address is judged, and the socket goes to the very address that
// was judged. A name that leads elsewhere a moment later (DNS rebinding) therefore leads nowhere.
//
//   looking up ──▶ judging ──▶ connecting to one address after the other ──▶ TLS ──▶ connected
import { isIP, type Socket } from 'node:net';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import { type Origin, originText } from '../../api/origin.ts';
import { classifyTlsError } from '../../identity/tls.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, type Result } from '../../kit/result.ts';
import {
  type CertificateFlaw,
  certificateFlaw,
  dial,
  isOtherProtocol,
  type NotDialled,
  type Spoken,
} from '../link/dial.ts';
import { type AddressClass, classOf } from './address-class.ts';

/** Every address of a name, in the order in which they are to be tried. Calls back once, in a later turn. */
export type LookUp = (host: string, done: (error: Error | null, addresses: readonly string[]) => void) => void;

export interface ConnectDeps {
  readonly clock: Clock;
  readonly lookUp: LookUp;
  /** The addresses of this machine's interfaces, as they are now. */
  readonly ownAddresses: () => readonly string[];
}

export interface Destination {
  readonly origin: Origin;
  /** What is asked for in the handshake (ALPN). */
  readonly spoken: Spoken;
  /** Whether an address of this kind may be connected to. */
  readonly isAllowed: (address: string, kind: AddressClass) => boolean;
  /** Of https: by what the server is proven, and we are. */
  readonly secureContext: SecureContext | undefined;
}

/** Why there is no connection. `cause` is for the log alone. */
export type NotConnected =
  | { readonly kind: 'refused-address'; readonly addressClass: AddressClass; readonly cause: string }
  | { readonly kind: 'unresolved' | 'unreachable' | 'untrusted'; readonly cause: string }
  /** Of https: somebody answers there, and no TLS came of it. */
  | { readonly kind: 'no-tls'; readonly cause: string }
  /** Whatever it speaks over TLS, it is not what it was asked for. */
  | { readonly kind: 'other-protocol'; readonly cause: string }
  /** What an endpoint refers to is not there; `cause` is for people, too. */
  | { readonly kind: 'unconfigured'; readonly cause: string };

const LOOK_UP_TIMEOUT_MS = 5000;
/** Of a name with more of them, the others are not tried: a caller waits for no more than this. */
const ADDRESSES_MAX = 4;

type Done = (connected: Result<Socket, NotConnected>) => void;

/** Calls `done` once, in a later turn, unless it is cancelled. */
export function connectOutside(destination: Destination, deps: ConnectDeps, done: Done): Cancel {
  const connecting = new Connecting(destination, deps, done);
  connecting.lookUp();
  return () => connecting.cancel();
}

class Connecting {
  readonly #to: Destination;
  readonly #deps: ConnectDeps;
  #done: Done | undefined;
  #cancelStep: Cancel = () => undefined;
  #addresses: string[] = [];

  constructor(to: Destination, deps: ConnectDeps, done: Done) {
    this.#to = to;
    this.#deps = deps;
    this.#done = done;
  }

  cancel(): void {
    this.#done = undefined;
    this.#cancelStep();
  }

  lookUp(): void {
    const { host } = this.#to.origin;
    const { clock, lookUp } = this.#deps;
    let isOver = false;
    const answered = (error: Error | null, addresses: readonly string[]) => {
      if (isOver || this.#done === undefined) return;
      isOver = true;
      this.#cancelStep();
      if (error === null && addresses.length > 0) this.#judge(addresses);
      else this.#finish(err({ kind: 'unresolved', cause: error?.message ?? 'the name has no address' }));
    };
    this.#cancelStep = clock.after(LOOK_UP_TIMEOUT_MS, () => {
      answered(new Error(`looking the name up took longer than ${LOOK_UP_TIMEOUT_MS} ms`), []);
    });
    // A literal is judged like what a name leads to.
    if (isIP(host) === 0) lookUp(host, answered);
    else queueMicrotask(() => answered(null, [host]));
  }

  #judge(addresses: readonly string[]): void {
    const own = this.#deps.ownAddresses();
    const judged = addresses.map((address) => ({ address, kind: classOf(address, own) }));
    const allowed = judged.filter(({ address, kind }) => this.#to.isAllowed(address, kind));
    const [refused] = judged;
    if (allowed.length === 0 && refused !== undefined) {
      const cause = `${this.#to.origin.host} leads to ${refused.address}`;
      this.#finish(err({ kind: 'refused-address', addressClass: refused.kind, cause }));
      return;
    }
    this.#addresses = allowed.slice(0, ADDRESSES_MAX).map(({ address }) => address);
    this.#next('no address was tried');
  }

  #next(lastCause: string): void {
    const address = this.#addresses.shift();
    if (address === undefined) this.#finish(err({ kind: 'unreachable', cause: lastCause }));
    else this.#connect(address);
  }

  #connect(address: string): void {
    const { origin } = this.#to;
    const tls = origin.scheme === 'https' ? tlsOptions(this.#to) : undefined;
    this.#cancelStep = dial({ at: { host: address, port: origin.port }, tls }, this.#deps.clock, (dialled) => {
      if (dialled.ok) this.#finish(dialled);
      else if (this.#done !== undefined) this.#failed(address, dialled.error);
    });
  }

  #failed(address: string, failed: NotDialled): void {
    const told = `${originText(this.#to.origin)} at ${address}: ${messageOf(failed.error)}`;
    // Who answers and is not trusted is no reason to ask the next: that is for people to look at.
    if (classifyTlsError(failed.error) === 'untrusted')
      this.#finish(err({ kind: 'untrusted', cause: wordsFor(failed, told) }));
    else if (failed.isConnected)
      this.#finish(err({ kind: isOtherProtocol(failed) ? 'other-protocol' : 'no-tls', cause: told }));
    else this.#next(told);
  }

  #finish(connected: Result<Socket, NotConnected>): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(connected);
  }
}

/** The certificate is checked always; an address has no name to be sent, and is looked for in the certificate itself. */
function tlsOptions({ origin: { host }, spoken, secureContext }: Destination): ConnectionOptions {
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ALPNProtocols: [spoken],
    ...(isIP(host) === 0 && { servername: host }),
    ...(secureContext !== undefined && { secureContext }),
  };
}

const SOME_CERTIFICATE = 'the TLS handshake failed over a certificate';
const WORDS: Readonly<Record<CertificateFlaw, string>> = {
  expired: 'its certificate has expired',
  'not-yet-valid': 'its certificate is not valid yet',
  'other-name': 'its certificate is for another name',
  'self-signed': 'its certificate is signed by nobody but itself',
  'unknown-authority': 'its certificate is signed by an authority that is not trusted here',
  unusable: SOME_CERTIFICATE,
};

function wordsFor(failed: NotDialled, told: string): string {
  const flaw = certificateFlaw(failed);
  return `${flaw === undefined ? SOME_CERTIFICATE : WORDS[flaw]} (${told})`;
}
