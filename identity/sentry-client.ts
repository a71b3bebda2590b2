// PLACEHOLDER, replaced next: the client of the certificate authority.
export type SentryEndpoint =
  /** The private signer of this machine's user: a Unix socket in a folder that only they can enter. */
  | { readonly kind: 'socket'; readonly path: string }
  /** A sentry over TLS, proven by the anchors in the file and its SPIFFE ID. */
  | {
      readonly kind: 'tls';
      readonly host: string;
      readonly port: number;
      readonly trustAnchorsFile: string;
      /** A JWT, read anew for each request; undefined asks the `insecure` validator. */
      readonly tokenFile: string | undefined;
    };
