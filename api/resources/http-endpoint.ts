// HTTPEndpoint: a name for a service that has no sidecar, with what is sent along and by what the service is proven. Its fields
// are Dapr's; what a sidecar makes of them is in api/http-endpoint.ts.
import * as z from 'zod';
import { err, type Result } from '../../kit/result.ts';
import { isEndpointHeader, isEndpointVariable, isSecretKey, parseBaseUrl } from '../http-endpoint.ts';
import { appId } from './fields.ts';
import type { Resource } from './object.ts';
import { readSpec } from './read-spec.ts';
import { list, matching, object, type Rule, ruled, set, text } from './schema.ts';

const VALUE_LENGTH_MAX = 65_536;

const secretKey = object('A key of a Secret of the same namespace.', {
  name: text('The name of the Secret.', 253, {
    ...matching(/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/, 'write the name of a Secret'),
    holds: isSecretKey,
  }),
  key: text('The key.', 253, {
    ...matching(/^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$/, 'write a key of a Secret, such as token or ca.crt'),
    holds: isSecretKey,
  }),
});

const variable = text("A variable of the sidecar's environment.", 128, {
  cel: "self.matches('^[A-Za-z_][A-Za-z0-9_]*$') && !self.matches('(?i)^(app_api_token$|dapr_|invoke_)')",
  holds: isEndpointVariable,
  message: 'write the name of a variable; APP_API_TOKEN and names that begin with DAPR_ or INVOKE_ cannot be read',
});

const valueFields = {
  value: text('The value itself.', VALUE_LENGTH_MAX).optional(),
  secretKeyRef: secretKey.optional(),
  envRef: variable.optional(),
};

interface Value {
  readonly value?: string | undefined;
  readonly secretKeyRef?: object | undefined;
  readonly envRef?: string | undefined;
}

const ONE_VALUE: Rule<Value> = {
  cel: '[has(self.value), has(self.secretKeyRef), has(self.envRef)].filter(given, given).size() == 1',
  holds: ({ value, secretKeyRef, envRef }) =>
    [value, secretKeyRef, envRef].filter((given) => given !== undefined).length === 1,
  message: 'write one of value, secretKeyRef and envRef',
};

const header = ruled(
  object('A header, and its value.', {
    name: text('The name of the header.', 128, {
      cel: "self.matches('^[A-Za-z0-9][-A-Za-z0-9_]*$') && !self.matches('(?i)^(host|content-length|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|http2-settings)$')",
      holds: isEndpointHeader,
      message: 'write the name of a header that is not about the connection itself, such as authorization',
    }),
    ...valueFields,
  }),
  ONE_VALUE,
);

const pem = (description: string) => ruled(object(description, valueFields), ONE_VALUE).optional();

const clientTLS = ruled(
  object('What TLS with the service rests on, where the defaults of the platform do not fit.', {
    rootCA: pem('PEM certificates of the only authorities that may vouch for the service.'),
    certificate: pem('A PEM certificate, and those that lead from it to its authority, that is shown to the service.'),
    privateKey: pem('The PEM key of the certificate.'),
  }),
  {
    cel: 'has(self.certificate) == has(self.privateKey)',
    holds: ({ certificate, privateKey }) => (certificate === undefined) === (privateKey === undefined),
    message: 'certificate and privateKey go together; write both or neither',
  },
);

export const httpEndpointSpec = ruled(
  object('A service outside of the mesh.', {
    baseUrl: text('Where the service is: http:// or https://, a host, and what stands before every path.', 2048, {
      ...matching(
        /^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/,
        'write https://, a host, and a path if there is one; no user and no query',
      ),
      holds: (url) => parseBaseUrl(url).ok,
    }),
    headers: list('Headers that every call is sent with, in place of those of the same name that it has.', header, {
      maxItems: 32,
    }).optional(),
    clientTLS: clientTLS.optional(),
    scopes: set('Apps of this namespace that may use it. Left out: all of them.', appId('An app id.'), {
      minItems: 1,
      maxItems: 64,
    }).optional(),
  }),
  {
    cel: "!has(self.clientTLS) || self.baseUrl.startsWith('https://')",
    holds: ({ baseUrl, clientTLS }) => clientTLS === undefined || baseUrl.startsWith('https://'),
    message: 'clientTLS is of no use without https:// in baseUrl',
  },
);

export type HttpEndpointSpec = z.output<typeof httpEndpointSpec>;
export type HttpEndpointResource = Resource<HttpEndpointSpec>;

/** The spec, or everything that is wrong with it. */
export function readHttpEndpointSpec(spec: unknown): Result<HttpEndpointSpec, readonly string[]> {
  return readSpec(httpEndpointSpec, spec);
}

/**
 * An object of Dapr's kind of the same name, in our words: its scopes stand beside the spec, and values may be numbers. What it
 * says about renegotiation, which TLS 1.3 does not have, is left out.
 */
export function readDaprEndpoint(object: unknown): Result<HttpEndpointSpec, readonly string[]> {
  const read = DAPR.safeParse(object);
  if (!read.success) return err(['it is no HTTPEndpoint of Dapr']);
  const { spec, scopes } = read.data;
  const { headers, clientTLS, ...rest } = spec;
  const { renegotiation: _, ...tls } = clientTLS ?? {};
  return readHttpEndpointSpec({
    ...rest,
    ...(headers !== undefined && { headers: headers.map(inText) }),
    ...(clientTLS !== undefined && {
      clientTLS: Object.fromEntries(Object.entries(tls).map(([part, value]) => [part, inText(value)])),
    }),
    ...(scopes !== undefined && scopes.length > 0 && { scopes }),
  });
}

const FIELDS = z.record(z.string(), z.unknown());
const DAPR = z.object({
  spec: z.looseObject({ headers: z.array(FIELDS).optional(), clientTLS: FIELDS.optional() }),
  scopes: z.array(z.unknown()).optional(),
});

function inText(written: unknown): unknown {
  if (typeof written !== 'object' || written === null || !('value' in written)) return written;
  const { value } = written;
  return { ...written, value: typeof value === 'number' || typeof value === 'boolean' ? String(value) : value };
}
