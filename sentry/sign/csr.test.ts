// What strangers may send in place of a certificate request, and that only honest ones get through.
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeCsr } from '../../identity/csr.ts';
import { bitString, context, integer, oid, pem, sequence } from '../../identity/der.ts';
import { readCsr } from './csr.ts';

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const ECDSA_SHA384 = sequence(oid('1.2.840.10045.4.3.3'));
const ECDSA_SHA1 = sequence(oid('1.2.840.10045.4.1'));
const ED25519 = sequence(oid('1.3.101.112'));
const RSA_SHA256 = sequence(oid('1.2.840.113549.1.1.11'), Buffer.from([5, 0]));

interface Recipe {
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly hash: string | null;
  readonly algorithm: Buffer;
  /** Signs in place of the key's owner. */
  readonly signer?: KeyObject;
  readonly version?: number;
  readonly attributes?: readonly Buffer[];
  /** In place of the key's usual encoding. */
  readonly spki?: Buffer;
  /** Put behind the last member of the request info, or of the request. */
  readonly surplusInInfo?: Buffer;
  readonly surplus?: Buffer;
}

function der(recipe: Recipe): Buffer {
  const info = sequence(
    integer(Buffer.from([recipe.version ?? 0])),
    sequence(),
    recipe.spki ?? recipe.keys.publicKey.export({ type: 'spki', format: 'der' }),
    context(0, 'constructed', ...(recipe.attributes ?? [])),
    recipe.surplusInInfo ?? Buffer.alloc(0),
  );
  const signature = sign(recipe.hash, info, recipe.signer ?? recipe.keys.privateKey);
  return sequence(info, recipe.algorithm, bitString(signature), recipe.surplus ?? Buffer.alloc(0));
}

const csr = (bytes: Uint8Array) => Buffer.from(pem('CERTIFICATE REQUEST', bytes));
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const p256: Recipe = { keys: ec('P-256'), hash: 'sha256', algorithm: ECDSA_SHA256 };
const honest = der(p256);

test.each<[string, Recipe]>([
  ['P-256', p256],
  ['P-384', { keys: ec('P-384'), hash: 'sha384', algorithm: ECDSA_SHA384 }],
  ['Ed25519', { keys: generateKeyPairSync('ed25519'), hash: null, algorithm: ED25519 }],
])('a request over %s is taken, and its key with it', async (_says, recipe) => {
  const key = await readCsr(csr(der(recipe)));
  expect(key.ok && key.value.equals(recipe.keys.publicKey)).toBe(true);
});

test('our own requests are taken', async () => {
  const { csrPem, keyPem } = makeCsr();
  const key = await readCsr(Buffer.from(csrPem));
  expect(key.ok && key.value.equals(createPublicKey(keyPem))).toBe(true);
});

test.each<[string, Recipe, RegExp]>([
  ['RSA-1024', { keys: rsa(1024), hash: 'sha256', algorithm: RSA_SHA256 }, /type rsa; use P-256/],
  ['RSA-4096', { keys: rsa(4096), hash: 'sha256', algorithm: RSA_SHA256 }, /type rsa; use P-256/],
  ['P-224', { ...p256, keys: ec('secp224r1') }, /type secp224r1/],
  ['secp256k1', { ...p256, keys: ec('secp256k1') }, /type secp256k1/],
  ["a signature by somebody else's key", { ...p256, signer: ec('P-256').privateKey }, /does not verify/],
  ['a signature over another hash than it says', { ...p256, hash: 'sha512' }, /does not verify/],
  ['SHA-1', { ...p256, hash: 'sha1', algorithm: ECDSA_SHA1 }, /algorithm/],
  ['an algorithm that is not its key’s', { ...p256, algorithm: ED25519 }, /algorithm/],
  ['parameters where there are none', { ...p256, algorithm: withNull('1.2.840.10045.4.3.2') }, /algorithm/],
  ['a key in an unusual encoding', { ...p256, spki: compressed(p256.keys.publicKey) }, /key cannot be read/],
  ['a key that is no point of its curve', { ...p256, spki: offCurve(p256.keys.publicKey) }, /key cannot be read/],
  ['another version', { ...p256, version: 1 }, /not a PKCS #10/],
  ['signed surplus', { ...p256, surplusInInfo: integer(Buffer.from([1])) }, /not a PKCS #10/],
  ['unsigned surplus', { ...p256, surplus: integer(Buffer.from([1])) }, /not a PKCS #10/],
  ['deep nesting', { ...p256, attributes: [nested(1000)] }, /nested too deeply/],
])('a request with %s is refused', async (_says, recipe, reason) => {
  expect(await readCsr(csr(der(recipe)))).toMatchObject({ ok: false, error: expect.stringMatching(reason) });
});

const text = csr(honest).toString();

test.each<[string, string | Buffer, RegExp]>([
  ['nothing', '', /one PEM block/],
  ['no PEM', 'hello', /one PEM block/],
  ['bare DER', honest, /one PEM block/],
  ['a certificate', text.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'), /one PEM block/],
  ['two requests', text + text, /one PEM block/],
  ['words before it', `Subject: admin\n${text}`, /one PEM block/],
  ['words after it', `${text}and more`, /one PEM block/],
  ['PEM headers', text.replace('\n', '\nProc-Type: 4,ENCRYPTED\n\n'), /one PEM block/],
  ['broken base 64', text.replace(/\n(.{63})./, '\n$1'), /base 64|DER/],
  ['base 64 with bits to spare', pem('CERTIFICATE REQUEST', honest).replace(/.(=*)\n-----END/, 'B=$1\n-----END'), /.+/],
  ['64 KiB', csr(Buffer.alloc(48 * 1024, 0x30)), /larger than 16384 bytes/],
  ['an empty element', csr(Buffer.from([0x30, 0])), /not a PKCS #10/],
  ['no bytes at all', '-----BEGIN CERTIFICATE REQUEST-----\n\n-----END CERTIFICATE REQUEST-----\n', /DER/],
  ['trailing bytes', csr(Buffer.concat([honest, Buffer.alloc(1000)])), /bytes follow/],
  ['an indefinite length', csr(Buffer.concat([Buffer.from([0x30, 0x80]), honest.subarray(3), Buffer.alloc(2)])), /DER/],
  ['a length in a longer form', csr(longerLength(honest)), /shortest form/],
  ['trailing bytes inside the signature', csr(trailingInSignature()), /not a PKCS #10/],
  ['nesting of 2500', csr(nested(2500)), /nested too deeply/],
])('%s in place of a request is refused', async (_says, hostile, reason) => {
  const outcome = await readCsr(Buffer.from(hostile));
  expect(outcome).toMatchObject({ ok: false, error: expect.stringMatching(reason) });
});

test('a request cut off anywhere is refused', async () => {
  for (let length = 0; length < honest.length; length++) {
    expect((await readCsr(csr(honest.subarray(0, length)))).ok, `${length} bytes`).toBe(false);
  }
});

test('a request with any one bit turned is refused', async () => {
  for (let bit = 0; bit < honest.length * 8; bit++) {
    const flipped = Buffer.from(honest);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect((await readCsr(csr(flipped))).ok, `bit ${bit}`).toBe(false);
  }
});

test('whatever bytes come, the answer is a value', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .tuple(fc.nat(honest.length - 1), fc.uint8Array({ minLength: 1, maxLength: 8 }))
      .map(([at, patch]) => Buffer.concat([honest.subarray(0, at), patch, honest.subarray(at + patch.length)])),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (input) => {
      const outcome = await readCsr(csr(input));
      expect(outcome.ok).toBe(Buffer.from(input).equals(honest));
    }),
    { numRuns: 300 },
  );
});

function rsa(modulusLength: number): Recipe['keys'] {
  return generateKeyPairSync('rsa', { modulusLength });
}

function withNull(algorithm: string): Buffer {
  return sequence(oid(algorithm), Buffer.from([5, 0]));
}

/** The same point by its x alone: a second encoding of one key. */
function compressed(key: KeyObject): Buffer {
  const point = key.export({ type: 'spki', format: 'der' }).subarray(-65);
  const parity = Buffer.from([2 + (point.readUInt8(64) & 1)]);
  const algorithm = sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'));
  return sequence(algorithm, bitString(Buffer.concat([parity, point.subarray(1, 33)])));
}

function offCurve(key: KeyObject): Buffer {
  const spki = key.export({ type: 'spki', format: 'der' });
  spki.writeUInt8(spki.readUInt8(spki.length - 1) ^ 1, spki.length - 1);
  return spki;
}

function nested(depth: number): Buffer {
  let bytes = sequence();
  for (let i = 0; i < depth; i++) bytes = sequence(bytes);
  return bytes;
}

/** `30 81 xx` as `30 82 00 xx`. */
function longerLength(bytes: Buffer): Buffer {
  expect(bytes[1]).toBe(0x81);
  return Buffer.concat([Buffer.from([0x30, 0x82, 0]), bytes.subarray(2)]);
}

function trailingInSignature(): Buffer {
  const info = sequence(
    integer(Buffer.from([0])),
    sequence(),
    p256.keys.publicKey.export({ type: 'spki', format: 'der' }),
    context(0, 'constructed'),
  );
  const signature = sign('sha256', info, p256.keys.privateKey);
  return sequence(info, ECDSA_SHA256, bitString(Buffer.concat([signature, Buffer.alloc(3)])));
}
