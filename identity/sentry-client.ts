// The client of the certificate authority: makes a key, asks for a certificate over it, and looks hard at the answer.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import type { Identity, Namespace } from '../api/ids.ts';
import { decodeSignReply, encodeSignRequest, SIGN_CERTIFICATE_PATH, type TokenValidator } from '../api/proto/sentry.ts';
import type { Cancel, Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { readCertificates } from './chain.ts';
import { makeCsr } from './csr.ts';
import { acceptIssued } from './issued.ts';
import { type Credentials, sentryIdentity } from './svid.ts';
import { anonymousClientOptions, classifyTlsError } from './tls.ts';
import { callUnary, type UnaryCall, type UnaryFailure } from './unary.ts';

export type SentryEndpoint =
  /** The private signer of this machine's user: a Unix socket in a folder that only they can enter. */
  { readonly kind: 'socket'; readonly path: string } | (TlsEndpoint & AnchorsSource);

/** A sentry over TLS, proven by the anchors and its SPIFFE ID. */
interface TlsEndpoint {
  readonly kind: 'tls';
  readonly host: string;
  readonly port: number;
  /** A JWT, read anew for each request; undefined asks the `insecure` validator. */
  readonly tokenFile: string | undefined;
  /** The validator that the token is for: `kubernetes` in a pod, whose token is projected; `jwks` by default. */
  readonly tokenKind?: 'jwks' | 'kubernetes';
  /** Where the sentry runs, which is part of its SPIFFE ID; `invoke-system` by default. */
  readonly sentryNamespace?: Namespace;
}

/** PEM, read anew for each request: of a file, or of whoever watches them, who says in words where they are from. */
type AnchorsSource =
  | { readonly trustAnchorsFile: string }
  | { readonly trustAnchors: { readonly from: string; readonly read: () => string | undefined } };

export interface SentryFailure {
  /**
   * `unreadable`: a file of ours; `unreachable`: nobody answers; `untrusted`: who answers is not the sentry, or its
   * certificate cannot be used; `refused`: the sentry said no.
   */
  readonly kind: 'unreadable' | 'unreachable' | 'untrusted' | 'refused';
  /** For people: what failed, why, and what to do. Holds no secret. */
  readonly message: string;
}

export interface RequestOptions {
  readonly clock: Clock;
  /** For connecting and answering together; 3000 by default. */
  readonly timeoutMs?: number;
}

/** Asks for a certificate of `identity`. The one `requestCertificate` asks a real sentry; tests may bring their own. */
export type RequestCertificate = (
  endpoint: SentryEndpoint,
  identity: Identity,
  options: RequestOptions,
  done: (outcome: Result<Credentials, SentryFailure>) => void,
) => Cancel;

const TIMEOUT_MS = 3000;

/** One try, with a new key. Calls `done` once, later, unless cancelled; nothing is thrown. */
export const requestCertificate: RequestCertificate = (endpoint, identity, options, done) => {
  // Not at once: the first key and the first TLS of a process take a tenth of its start, and whoever asks still has to listen.
  const begun = setImmediate(() => {
    cancel = ask(endpoint, identity, options, done);
  });
  let cancel: Cancel = () => clearImmediate(begun);
  return () => cancel();
};

const ask: RequestCertificate = (endpoint, identity, options, done) => {
  const { clock, timeoutMs = TIMEOUT_MS } = options;
  const link = prepareLink(endpoint, identity, clock);
  if (!link.ok) return clock.after(0, () => done(link));
  const { publicKey, keyPem, csrPem } = makeCsr();
  const message = encodeSignRequest({
    appId: identity.app,
    namespace: identity.namespace,
    trustDomain: identity.trustDomain,
    token: link.value.token ?? '',
    validator: link.value.validator,
    csr: Buffer.from(csrPem),
  });
  const { connect, scheme, authority, anchorsPem, name } = link.value;
  const call = { connect, scheme, authority, path: SIGN_CERTIFICATE_PATH, message, timeoutMs, clock };
  return callUnary(call, (answer) => {
    if (!answer.ok) return done(err(explain(answer.error, name, endpoint)));
    const reply = decodeSignReply(answer.value);
    const issued = reply.ok
      ? acceptIssued(reply.value, { identity, publicKey, keyPem, anchorsPem }, clock.now())
      : reply;
    done(issued.ok ? issued : err({ kind: 'untrusted', message: `${name} answered, but ${issued.error}` }));
  });
};

/** How to get to a sentry, and what to bring. */
interface Link {
  readonly connect: UnaryCall['connect'];
  readonly scheme: UnaryCall['scheme'];
  readonly authority: string;
  readonly token: string | undefined;
  readonly validator: TokenValidator;
  /** PEM; undefined: whoever serves the socket is trusted with the anchors too. */
  readonly anchorsPem: string | undefined;
  /** For messages. */
  readonly name: string;
}

function prepareLink(endpoint: SentryEndpoint, identity: Identity, clock: Clock): Result<Link, SentryFailure> {
  if (endpoint.kind === 'socket') {
    return ok({
      connect: () => net.connect({ path: endpoint.path, allowHalfOpen: true }),
      scheme: 'http',
      authority: 'localhost',
      token: undefined,
      validator: 'insecure',
      anchorsPem: undefined,
      name: `the signer at ${endpoint.path}`,
    });
  }
  const anchorsPem = readAnchors(endpoint);
  if (!anchorsPem.ok) return anchorsPem;
  const anchors = readCertificates(anchorsPem.value);
  if (!anchors.ok) return unreadable('trust anchors', placeOf(endpoint), anchors.error);
  const token = endpoint.tokenFile === undefined ? ok(undefined) : readSmallFile(endpoint.tokenFile, 'token');
  if (!token.ok) return token;
  const { host, port, tokenKind = 'jwks', sentryNamespace } = endpoint;
  const authority = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
  const expected = { identity: sentryIdentity(identity.trustDomain, sentryNamespace), now: clock.now };
  return ok({
    connect: () => tls.connect({ host, port, ...anonymousClientOptions([anchorsPem.value], expected) }),
    scheme: 'https',
    authority,
    token: token.value?.trim(),
    validator: token.value === undefined ? 'insecure' : tokenKind,
    anchorsPem: anchorsPem.value,
    name: `the sentry at ${authority}`,
  });
}

function readAnchors(source: AnchorsSource): Result<string, SentryFailure> {
  if ('trustAnchorsFile' in source) return readSmallFile(source.trustAnchorsFile, 'trust anchors');
  const { from, read } = source.trustAnchors;
  const anchorsPem = read();
  if (anchorsPem !== undefined) return ok(anchorsPem);
  return err({ kind: 'unreadable', message: `there are no trust anchors in ${from} yet` });
}

/** For messages. */
function placeOf(source: AnchorsSource): string {
  return 'trustAnchorsFile' in source ? source.trustAnchorsFile : source.trustAnchors.from;
}

/** Read at once: these files are small, mounted in memory, and read twice a day. */
function readSmallFile(path: string, what: string): Result<string, SentryFailure> {
  try {
    return ok(readFileSync(path, 'utf8'));
  } catch (error) {
    return unreadable(what, path, messageOf(error));
  }
}

function unreadable(what: string, path: string, why: string): Result<never, SentryFailure> {
  const message = `the ${what} in ${path} cannot be used: ${why}; check the path and who may read it`;
  return err({ kind: 'unreadable', message });
}

function explain(failure: UnaryFailure, name: string, endpoint: SentryEndpoint): SentryFailure {
  if (failure.kind === 'status') {
    const message = `${name} refused: ${failure.message || 'it gave no reason'} (grpc-status ${failure.status})`;
    return failure.status === GRPC_UNAVAILABLE ? { kind: 'unreachable', message } : { kind: 'refused', message };
  }
  if (failure.kind === 'malformed') {
    return { kind: 'untrusted', message: `${name} is not a sentry: ${failure.reason}; check the address` };
  }
  // Where a name has several addresses, the platform's error has codes and no message.
  const why = failure.cause.message || ('code' in failure.cause ? String(failure.cause.code) : failure.cause.name);
  if (endpoint.kind === 'tls' && classifyTlsError(failure.cause) === 'untrusted') {
    const message = `${name} is not to be trusted: ${why}; check that ${placeOf(endpoint)} holds its anchors`;
    return { kind: 'untrusted', message };
  }
  return { kind: 'unreachable', message: `${name} cannot be reached: ${why}; check that it runs` };
}

const GRPC_UNAVAILABLE = 14;
