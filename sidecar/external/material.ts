// What TLS with an endpoint rests on, as it is now: by what its server is proven, and what proves us to it.
import { createSecureContext, type SecureContext } from 'node:tls';
import type { EndpointTls } from '../../api/http-endpoint.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { EndpointSecrets } from './secrets.ts';

/** PEM. What is left out is the platform's, or nothing. */
export type Material = { readonly [Part in keyof EndpointTls]: string | undefined };

/** Or a sentence for people. */
export function readMaterial(tls: EndpointTls, secrets: EndpointSecrets): Result<Material> {
  const material: { -readonly [Part in keyof Material]: string | undefined } = {
    rootCA: undefined,
    certificate: undefined,
    privateKey: undefined,
  };
  for (const part of ['rootCA', 'certificate', 'privateKey'] as const) {
    const value = tls[part];
    const read = value === undefined ? ok(undefined) : secrets.valueOf(value);
    if (!read.ok) return err(`clientTLS.${part}: ${read.error}`);
    material[part] = read.value;
  }
  return ok(material);
}

export function secureContextOf({ rootCA, certificate, privateKey }: Material): Result<SecureContext> {
  // An empty list of authorities would be taken for that of the platform.
  if (rootCA !== undefined && !rootCA.includes('-----BEGIN CERTIFICATE-----')) {
    return err('clientTLS.rootCA holds no certificate in PEM');
  }
  try {
    const context = createSecureContext({
      minVersion: 'TLSv1.2',
      ...(rootCA !== undefined && { ca: rootCA }),
      ...(certificate !== undefined && { cert: certificate }),
      ...(privateKey !== undefined && { key: privateKey }),
    });
    return ok(context);
  } catch (error) {
    return err(`clientTLS has to be PEM, with the key of its own certificate (${messageOf(error)})`);
  }
}
