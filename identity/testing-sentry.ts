// For tests: a certificate authority that speaks the real protocol over a real socket, and answers as it is told.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Identity } from '../api/ids.ts';
import { decodeSignRequest, encodeSignReply, type SignReply, type SignRequest } from '../api/proto/sentry.ts';
import { must } from '../kit/result.ts';
import { FrameReader, frameMessage } from '../wire/grpc-frame.ts';
import type { Credentials } from './svid.ts';
import type { IssueOptions, ThrowawayCa } from './testing.ts';
import { serverContext } from './tls.ts';

/** What the fake says to one request. `silence`: never answers. */
export type FakeAnswer =
  | { readonly kind: 'reply'; readonly reply: SignReply }
  | { readonly kind: 'refusal'; readonly status: number; readonly message: string }
  | { readonly kind: 'silence' };

export interface FakeSentry {
  /** 0 on a Unix socket. */
  readonly port: number;
  /** Every request so far. */
  readonly requests: readonly SignRequest[];
  close(): Promise<void>;
}

export interface FakeSentryOptions {
  /** A Unix socket path, or TLS on a free loopback port with these credentials. */
  readonly at: string | Credentials;
  readonly answer: (request: SignRequest) => FakeAnswer;
}

export async function startFakeSentry({ at, answer }: FakeSentryOptions): Promise<FakeSentry> {
  const requests: SignRequest[] = [];
  const server =
    typeof at === 'string'
      ? http2.createServer()
      : http2.createSecureServer({ ...serverContext(at), requestCert: false, rejectUnauthorized: false });
  const sessions = new Set<http2.Http2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    const reader = new FrameReader(64 * 1024);
    stream.on('data', (chunk: Buffer) => {
      for (const message of must(reader.push(chunk))) {
        const request = must(decodeSignRequest(message));
        requests.push(request);
        respond(stream, answer(request));
      }
    });
  });
  if (typeof at === 'string') server.listen(at);
  else server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: typeof at === 'string' ? 0 : (server.address() as AddressInfo).port,
    requests,
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** An answer as a sentry over `ca` gives it: whoever asks is believed. */
export function signedBy(ca: ThrowawayCa, options?: IssueOptions): (request: SignRequest) => FakeAnswer {
  return ({ csr, appId, namespace, trustDomain }) => {
    const identity = { app: appId, namespace, trustDomain } as Identity;
    const { svid, anchors } = ca.issue(identity, { publicKey: publicKeyOfCsr(csr.toString()), ...options });
    const reply = {
      chain: Buffer.from(svid.chainPem),
      anchors: anchors.map((anchor) => Buffer.from(anchor)),
      validUntil: svid.notAfter,
    };
    return { kind: 'reply', reply };
  };
}

/** The third member of the request's first member (RFC 2986); the signature is not looked at. */
export function publicKeyOfCsr(csrPem: string): KeyObject {
  const [request] = members(Buffer.from(csrPem.replace(/-----[^-]+-----/g, ''), 'base64'));
  const [info] = members(content(request));
  const [, , spki] = members(content(info));
  return createPublicKey({ key: spki ?? Buffer.alloc(0), format: 'der', type: 'spki' });
}

function respond(stream: http2.ServerHttp2Stream, answer: FakeAnswer): void {
  if (answer.kind === 'silence') return;
  const head = { ':status': 200, 'content-type': 'application/grpc' };
  if (answer.kind === 'refusal') {
    const status = { 'grpc-status': `${answer.status}`, 'grpc-message': encodeURIComponent(answer.message) };
    stream.respond({ ...head, ...status }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(frameMessage(encodeSignReply(answer.reply)));
}

/** The elements that stand one after the other in `der`, whole. */
function members(der: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < der.length; ) {
    const end = at + headerBytes(der.subarray(at)) + contentBytes(der.subarray(at));
    found.push(der.subarray(at, end));
    at = end;
  }
  return found;
}

function content(element: Buffer = Buffer.alloc(2)): Buffer {
  return element.subarray(headerBytes(element));
}

function headerBytes(element: Buffer): number {
  const first = element[1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

function contentBytes(element: Buffer): number {
  const first = element[1] ?? 0;
  return first < 0x80 ? first : element.readUIntBE(2, first & 0x7f);
}
