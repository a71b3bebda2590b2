// The certificates by which the API server knows our webhooks: an authority of their own, kept in one Secret so that every
// replica serves the same. Pure: from what the Secret holds and the time to what it should hold.
//
// The authority changes in two steps. First the next one is published beside it, in every caBundle; a day later it signs, and
// the former one stays in the bundle until it ends. So there is no moment at which a replica serves what is not trusted.
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';
import type { Namespace } from '../../api/ids.ts';
import { OPERATOR } from '../../api/pod.ts';
import { makeCertificate, type SigningParty, type Validity } from '../../pki/certificate.ts';

/** A certificate and its key, PEM. */
export interface KeyedCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface WebhookCertificates {
  /** Signs. */
  readonly authority: KeyedCertificate;
  /** Trusted already, and not signing yet. */
  readonly next: KeyedCertificate | undefined;
  /** Signed until lately; PEM. */
  readonly former: readonly string[];
  readonly serving: KeyedCertificate;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const AUTHORITY_LIFE_MS = 2 * 365 * DAY_MS;
export const SERVING_LIFE_MS = 30 * DAY_MS;
/** Time for every caBundle to take the next authority in: seconds as a rule, hours if nothing can be written. */
export const OVERLAP_MS = DAY_MS;
/** Clocks differ by seconds. */
const BACKDATED_MS = 60_000;

const AUTHORITY_NAME = 'CN=Invoke webhook authority';
const SERVING_NAME = `CN=${OPERATOR}`;

/** By which the API server calls the operator's Service; the last is the one it asks for. */
export function servingNames(namespace: Namespace): readonly string[] {
  return [`${OPERATOR}.${namespace}`, `${OPERATOR}.${namespace}.svc`];
}

/** What should be there now. The same object when nothing is due. */
export async function advance(
  held: WebhookCertificates | undefined,
  names: readonly string[],
  now: number,
): Promise<WebhookCertificates> {
  if (held === undefined || isOver(held.authority.certificate, now)) return fresh(names, now);
  const rotated = await rotate(held, now);
  const former = rotated.former.filter((certificate) => !isOver(certificate, now));
  const trimmed = former.length === rotated.former.length ? rotated : { ...rotated, former };
  if (isServingGood(trimmed, names, now)) return trimmed;
  return { ...trimmed, serving: await makeServing(trimmed.authority, names, now) };
}

/** Everything that a caBundle holds, PEM. */
export function trusted({ authority, next, former }: WebhookCertificates): string {
  return [authority.certificate, ...(next === undefined ? [] : [next.certificate]), ...former].join('');
}

/** Epoch milliseconds. */
export function endOf(certificate: string): number {
  return new X509Certificate(certificate).validToDate.getTime();
}

/** The data of the Secret. */
export function printCertificates({ authority, next, former, serving }: WebhookCertificates): Record<string, string> {
  const text = {
    'ca.crt': authority.certificate,
    'ca.key': authority.privateKey,
    ...(next !== undefined && { 'next-ca.crt': next.certificate, 'next-ca.key': next.privateKey }),
    ...(former.length > 0 && { 'former-ca.crt': former.join('') }),
    'tls.crt': serving.certificate,
    'tls.key': serving.privateKey,
  };
  return Object.fromEntries(Object.entries(text).map(([key, pem]) => [key, Buffer.from(pem).toString('base64')]));
}

/** Undefined where it does not hold what we wrote: then all is made anew, and every caBundle follows. */
export function readCertificates(data: Readonly<Record<string, string>>): WebhookCertificates | undefined {
  const text = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString();
  const authority = readPair(text('ca.crt'), text('ca.key'));
  const serving = readPair(text('tls.crt'), text('tls.key'));
  if (authority === undefined || serving === undefined) return undefined;
  const former = text('former-ca.crt').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
  if (!former.every((certificate) => isReadable(certificate))) return undefined;
  return { authority, next: readPair(text('next-ca.crt'), text('next-ca.key')), former, serving };
}

function readPair(certificate: string, privateKey: string): KeyedCertificate | undefined {
  try {
    const isPair = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
    return isPair ? { certificate, privateKey } : undefined;
  } catch {
    return undefined;
  }
}

function isReadable(certificate: string): boolean {
  try {
    return new X509Certificate(certificate).ca;
  } catch {
    return false;
  }
}

async function fresh(names: readonly string[], now: number): Promise<WebhookCertificates> {
  const authority = await makeAuthority(now);
  return { authority, next: undefined, former: [], serving: await makeServing(authority, names, now) };
}

async function rotate(held: WebhookCertificates, now: number): Promise<WebhookCertificates> {
  const { authority, next, former } = held;
  if (next === undefined) {
    return isPastHalf(authority.certificate, now) ? { ...held, next: await makeAuthority(now) } : held;
  }
  const publishedAt = validityOf(next.certificate).notBefore + BACKDATED_MS;
  if (now < publishedAt + OVERLAP_MS) return held;
  return { ...held, authority: next, next: undefined, former: [authority.certificate, ...former] };
}

function isServingGood({ authority, serving }: WebhookCertificates, names: readonly string[], now: number): boolean {
  const certificate = new X509Certificate(serving.certificate);
  const isSigned = certificate.verify(new X509Certificate(authority.certificate).publicKey);
  const isNamed = names.every((name) => certificate.checkHost(name) !== undefined);
  // One that is not valid yet was made by a replica whose clock is ahead, and API servers would wait for it to be.
  return isSigned && isNamed && !isOver(serving.certificate, now) && !isPastHalf(serving.certificate, now);
}

async function makeAuthority(now: number): Promise<KeyedCertificate> {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const validity = { notBefore: now - BACKDATED_MS, notAfter: now + AUTHORITY_LIFE_MS };
  const extensions = [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
  const template = { subject: AUTHORITY_NAME, publicKey: keys.publicKey, validity, extensions };
  const certificate = await makeCertificate(template, { ...keys, name: AUTHORITY_NAME });
  return { certificate, privateKey: pemOf(keys) };
}

async function makeServing(
  authority: KeyedCertificate,
  names: readonly string[],
  now: number,
): Promise<KeyedCertificate> {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const notAfter = Math.min(now + SERVING_LIFE_MS, endOf(authority.certificate));
  const extensions = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
  ];
  const validity = { notBefore: now - BACKDATED_MS, notAfter };
  const template = { subject: SERVING_NAME, publicKey: keys.publicKey, validity, extensions };
  return { certificate: await makeCertificate(template, signerOf(authority)), privateKey: pemOf(keys) };
}

function signerOf({ privateKey }: KeyedCertificate): SigningParty {
  const key = createPrivateKey(privateKey);
  return { privateKey: key, publicKey: createPublicKey(key), name: AUTHORITY_NAME };
}

function pemOf({ privateKey }: Pick<SigningParty, 'privateKey'>): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function validityOf(certificate: string): Validity {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
}

function isOver(certificate: string, now: number): boolean {
  const { notBefore, notAfter } = validityOf(certificate);
  return now >= notAfter || now < notBefore;
}

function isPastHalf(certificate: string, now: number): boolean {
  const { notBefore, notAfter } = validityOf(certificate);
  return now >= (notBefore + notAfter) / 2;
}
