// For tests of every room: certificate authorities made on the spot, which issue whatever a test needs, wrong things
// included. Root, issuer and leaf have the shape that sentry gives them.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { type Identity, spiffeId } from '../api/ids.ts';
import { bitString, context, integer, octetString, oid, pem, sequence, set, TRUE, time, utf8String } from './der.ts';
import type { Credentials, TrustAnchors } from './svid.ts';

export interface IssueOptions {
  /** Epoch milliseconds; a minute ago by default. */
  readonly notBefore?: number;
  /** Epoch milliseconds; in an hour by default. */
  readonly notAfter?: number;
  /** Every URI SAN; the identity's SPIFFE ID by default, none for `[]`. */
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** Of IPv4, or `::1`. */
  readonly ipAddresses?: readonly string[];
  readonly isCa?: boolean;
  /** The workload that signs in place of the issuer, although it is no authority. */
  readonly signedBy?: Credentials;
  /** The key to certify, as from a request; by default one made here, which comes back in `keyPem`. */
  readonly publicKey?: KeyObject;
}

export interface ThrowawayCa {
  readonly anchors: TrustAnchors;
  issue(identity: Identity, options?: IssueOptions): Credentials;
}

const HOUR_MS = 3_600_000;

/** A new authority. Two of the same name have different keys, like a reinstalled mesh. */
export function throwawayCa(rootName = 'root'): ThrowawayCa {
  const rootKey = newKey();
  const issuerKey = newKey();
  const dates = { notBefore: Date.now() - 24 * HOUR_MS, notAfter: Date.now() + 48 * HOUR_MS };
  const ca = { ...dates, isCa: true, uris: [], dnsNames: [] };
  const root = { name: rootName, key: rootKey.privateKey };
  const rootPem = certificate({ ...ca, subject: rootName, publicKey: rootKey.publicKey, issuer: root });
  const issuerPem = certificate({ ...ca, subject: 'issuer', publicKey: issuerKey.publicKey, issuer: root });
  const anchors = [rootPem];
  return {
    anchors,
    issue: (identity, options = {}) =>
      leaf(identity, options, { name: 'issuer', key: issuerKey.privateKey, chainPem: issuerPem, anchors }),
  };
}

interface Signer {
  readonly name: string;
  readonly key: KeyObject | string;
}

function leaf(
  identity: Identity,
  options: IssueOptions,
  authority: Signer & { readonly chainPem: string; readonly anchors: TrustAnchors },
): Credentials {
  const { signedBy } = options;
  const fresh = newKey();
  const dates = {
    notBefore: wholeSeconds(options.notBefore ?? Date.now() - 60_000),
    notAfter: wholeSeconds(options.notAfter ?? Date.now() + HOUR_MS),
  };
  const leafPem = certificate({
    ...dates,
    // A subject where the leaf is to sign others in turn: their issuer field names it.
    subject: identity.app,
    publicKey: options.publicKey ?? fresh.publicKey,
    isCa: options.isCa ?? false,
    uris: options.uris ?? [spiffeId(identity)],
    dnsNames: options.dnsNames ?? [],
    ipAddresses: options.ipAddresses ?? [],
    issuer: signedBy ? { name: signedBy.svid.identity.app, key: signedBy.svid.keyPem } : authority,
  });
  return {
    svid: {
      identity,
      chainPem: leafPem + (signedBy?.svid.chainPem ?? authority.chainPem),
      keyPem: fresh.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ...dates,
    },
    anchors: authority.anchors,
  };
}

interface Template {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly isCa: boolean;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly issuer: Signer;
}

/** A certificate (RFC 5280, 4.1) in PEM. */
function certificate(template: Template): string {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const tbs = sequence(
    context(0, 'constructed', integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    algorithm,
    commonName(template.issuer.name),
    sequence(time(template.notBefore), time(template.notAfter)),
    commonName(template.subject),
    template.publicKey.export({ type: 'spki', format: 'der' }),
    context(3, 'constructed', sequence(...extensions(template))),
  );
  return pem('CERTIFICATE', sequence(tbs, algorithm, bitString(sign('sha256', tbs, template.issuer.key))));
}

function extensions({ isCa, uris, dnsNames, ipAddresses = [] }: Template): Buffer[] {
  const keyUsage = isCa ? bitString(Buffer.from([0x86]), 1) : bitString(Buffer.from([0x80]), 7);
  const made = [extension('2.5.29.19', isCa ? sequence(TRUE) : sequence()), extension('2.5.29.15', keyUsage)];
  // An authority of this shape has no names; with names it is a workload that claims to be one.
  if (!isCa || uris.length > 0) {
    made.push(extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))));
  }
  const names = [
    ...dnsNames.map((name) => context(2, 'primitive', Buffer.from(name))),
    ...uris.map((uri) => context(6, 'primitive', Buffer.from(uri))),
    ...ipAddresses.map((address) => context(7, 'primitive', ipBytes(address))),
  ];
  if (names.length > 0) made.push(extension('2.5.29.17', sequence(...names)));
  return made;
}

function ipBytes(address: string): Buffer {
  return address === '::1'
    ? Buffer.concat([Buffer.alloc(15), Buffer.of(1)])
    : Buffer.from(address.split('.').map(Number));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), TRUE, octetString(value));
}

function commonName(text: string): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), utf8String(text))));
}

function newKey(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function wholeSeconds(epochMs: number): number {
  return Math.floor(epochMs / 1000) * 1000;
}
