// What the proxies prove themselves by: P-256 certificates of one authority, as files.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpiffeId, spiffeId } from '../../api/ids.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { must } from '../../kit/result.ts';

export const ROLES = ['client', 'server'] as const;
export type Role = (typeof ROLES)[number];

export interface CertificateFiles {
  /** With the issuer's behind it. */
  readonly chain: string;
  readonly key: string;
  /** Both in one file. */
  readonly bundle: string;
  readonly uri: string;
  readonly dnsName: string;
}

export interface Certificates extends Readonly<Record<Role, CertificateFiles>> {
  readonly anchors: string;
}

const DAY_MS = 24 * 3_600_000;

export function writeCertificates(folder: string): Certificates {
  const ca = throwawayCa();
  const write = (name: string, text: string) => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const filesOf = (role: Role): CertificateFiles => {
    const identity = must(parseSpiffeId(`spiffe://bench.test/ns/default/${role}`));
    const dnsName = `${role}.bench.test`;
    const { svid } = ca.issue(identity, { dnsNames: [dnsName], notAfter: Date.now() + DAY_MS });
    return {
      chain: write(`${role}.crt`, svid.chainPem),
      key: write(`${role}.key`, svid.keyPem),
      bundle: write(`${role}.pem`, svid.chainPem + svid.keyPem),
      uri: spiffeId(identity),
      dnsName,
    };
  };
  return { anchors: write('anchors.crt', ca.anchors.join('\n')), client: filesOf('client'), server: filesOf('server') };
}
