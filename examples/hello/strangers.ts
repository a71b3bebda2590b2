// Connections that a sidecar's peer port has to refuse, and what became of them.
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Identity, spiffeId } from '../../api/ids.ts';
import { throwawayCa } from '../../identity/testing.ts';

export interface Attempt {
  readonly says: string;
  /** Whether a single byte of an answer came, beyond TLS's own. */
  readonly isAnswered: boolean;
  readonly end: string;
}

/** An HTTP/2 client speaks first: RFC 9113, 3.4, and an empty SETTINGS frame. */
const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';

export async function knockAsStrangers(port: number, impersonated: Identity): Promise<readonly Attempt[]> {
  const address = { host: '127.0.0.1', port };
  const tls = { ...address, rejectUnauthorized: false, minVersion: 'TLSv1.3', ALPNProtocols: ['h2'] } as const;
  const forged = throwawayCa().issue(impersonated);
  return [
    await knock('a connection in plain text', connectPlain(address)),
    await knock('a TLS connection without a certificate', connectTls(tls)),
    await knock(
      `a TLS connection that shows ${spiffeId(impersonated)}, signed by another authority`,
      connectTls({ ...tls, cert: forged.svid.chainPem, key: forged.svid.keyPem }),
    ),
  ];
}

function knock(says: string, socket: Socket): Promise<Attempt> {
  return new Promise((resolve) => {
    let isAnswered = false;
    let end = 'closed without a word';
    socket.write(HTTP2_PREFACE);
    socket.on('data', (chunk: Buffer) => {
      // A TLS server may answer plain text with an alert record (type 21), which is its way to say no.
      if (chunk[0] !== 21) isAnswered = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end = error.code ?? error.message;
    });
    socket.on('close', () => resolve({ says, isAnswered, end }));
  });
}
