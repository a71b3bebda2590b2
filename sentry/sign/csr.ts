// Reads a certificate request from a stranger. All that is taken from it is a public key, and only after the request
// has shown that whoever sent it holds the private half (RFC 2986). Names and extensions in it are not even looked at.
import 'reflect-metadata';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { err, ok, type Result } from '../../kit/result.ts';
import { type DerElement, readDer, TAG } from './der.ts';

const CSR_BYTES_MAX = 16 * 1024;

const ONE_PEM_BLOCK =
  /^\s*-----BEGIN CERTIFICATE REQUEST-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE REQUEST-----\s*$/;

/** AlgorithmIdentifiers, DER in hex: ECDSA with SHA-256, -384 and -512 (RFC 5758), Ed25519 (RFC 8410); no parameters. */
const SIGNATURE_ALGORITHMS: ReadonlyMap<string, 'ec' | 'ed25519'> = new Map([
  ['300a06082a8648ce3d040302', 'ec'],
  ['300a06082a8648ce3d040303', 'ec'],
  ['300a06082a8648ce3d040304', 'ec'],
  ['300506032b6570', 'ed25519'],
]);

/** The key to certify, or why the request is refused, in words for whoever sent it. */
export async function readCsr(csrPem: Buffer): Promise<Result<KeyObject>> {
  const der = decodePem(csrPem);
  if (!der.ok) return der;
  const request = readDer(der.value);
  if (!request.ok) return err(`the certificate request is not DER: ${request.error}`);
  const parts = takeApart(request.value);
  if (!parts.ok) return parts;
  const key = readKey(parts.value.spki);
  if (!key.ok) return key;
  if (SIGNATURE_ALGORITHMS.get(parts.value.algorithm) !== key.value.asymmetricKeyType) {
    return err('the certificate request is signed by an algorithm that does not go with its key');
  }
  if (!(await isSignatureValid(der.value))) {
    return err("the certificate request's signature does not verify by its own key");
  }
  return key;
}

/** Exactly one block with nothing around it: a second one is a second meaning. */
function decodePem(csrPem: Buffer): Result<Buffer> {
  if (csrPem.length > CSR_BYTES_MAX) return err(`the certificate request is larger than ${CSR_BYTES_MAX} bytes`);
  const base64 = ONE_PEM_BLOCK.exec(csrPem.toString('latin1'))?.[1]?.replace(/[\r\n]/g, '');
  if (base64 === undefined) return err('the certificate request is not one PEM block of the type CERTIFICATE REQUEST');
  const der = Buffer.from(base64, 'base64');
  return der.toString('base64') === base64 ? ok(der) : err('the certificate request is not base 64');
}

interface CsrParts {
  readonly spki: Buffer;
  /** DER in hex. */
  readonly algorithm: string;
}

function takeApart(request: DerElement): Result<CsrParts> {
  const [info, algorithm, signature, ...beyond] = request.members;
  const [version, subject, spki, attributes, ...surplus] = info?.members ?? [];
  const isShaped =
    beyond.length + surplus.length === 0 &&
    [request, info, algorithm, subject, spki].every((part) => part?.tag === TAG.sequence) &&
    version?.whole.equals(VERSION_0) &&
    attributes?.tag === TAG.attributes &&
    signature?.tag === TAG.bitString &&
    isSignatureShaped(signature.content, algorithm);
  if (!isShaped || !spki || !algorithm) return err('the certificate request is not a PKCS #10');
  return ok({ spki: spki.whole, algorithm: algorithm.whole.toString('hex') });
}

const VERSION_0 = Buffer.from([TAG.integer, 1, 0]);

/** An ECDSA signature is DER inside a bit string, and as strict: verifiers take several encodings of the same one. */
function isSignatureShaped(content: Buffer, algorithm: DerElement | undefined): boolean {
  if (content[0] !== 0) return false;
  if (SIGNATURE_ALGORITHMS.get(algorithm?.whole.toString('hex') ?? '') !== 'ec') return true;
  const pair = readDer(content.subarray(1));
  if (!pair.ok || pair.value.tag !== TAG.sequence) return false;
  return pair.value.members.length === 2 && pair.value.members.every(({ tag }) => tag === TAG.integer);
}

/** P-256, P-384 and Ed25519 (what Dapr's sidecars use since 1.18). RSA of any size is refused: nobody here needs it. */
function readKey(spki: Buffer): Result<KeyObject> {
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? '';
    if (!['prime256v1', 'secp384r1', 'ed25519'].includes(kind)) {
      return err(`the certificate request has a key of the type ${kind}; use P-256, P-384 or Ed25519`);
    }
    // Once through JWK, which knows coordinates and no encodings: a compressed point comes back uncompressed.
    const usual = createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' });
    return usual.export({ format: 'der', type: 'spki' }).equals(spki) ? ok(key) : err(UNUSABLE_KEY);
  } catch {
    return err(UNUSABLE_KEY);
  }
}

const UNUSABLE_KEY =
  "the certificate request's key cannot be read; use P-256, P-384 or Ed25519, and uncompressed points";

/** The library throws errors of many types at hostile input; all of them mean no. */
async function isSignatureValid(der: Buffer): Promise<boolean> {
  try {
    return await new Pkcs10CertificateRequest(Uint8Array.from(der)).verify();
  } catch {
    return false;
  }
}
