// Connections that a sidecar's peer port has to refuse, what became of them, and one that shows the difference.
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Identity, spiffeId } from '../../api/ids.ts';
import type { Credentials } from '../../identity/svid.ts';
import { throwawayCa } from '../../identity/testing.ts';

export interface Attempt {
  readonly says: string;
  /** Whether a single byte of an answer came, beyond TLS's own. */
  readonly isAnswered: boolean;
  readonly end: string;
}

const ALERT = 21;

/** An HTTP/2 client speaks first: RFC 9113, 3.4, and an empty SETTINGS frame. */
const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';

const SETTINGS = { minVersion: 'TLSv1.3', ALPNProtocols: ['h2'], rejectUnauthorized: false } as const;

export async function knockAsStrangers(port: number, impersonated: Identity): Promise<readonly Attempt[]> {
  const address = { host: '127.0.0.1', port };
  const { svid } = throwawayCa().issue(impersonated);
  const forged = { cert: svid.chainPem, key: svid.keyPem };
  return [
    await knock('a connection in plain text', connectPlain(address)),
    await knock('a TLS connection without a certificate', connectTls({ ...address, ...SETTINGS })),
    await knock(
      `a TLS connection that shows ${spiffeId(impersonated)}, signed by another authority,`,
      connectTls({ ...address, ...SETTINGS, ...forged }),
    ),
  ];
}

/** With a certificate from the authority that the sidecar trusts. */
export function knockAsFriend(port: number, { svid }: Credentials): Promise<Attempt> {
  const own = { cert: svid.chainPem, key: svid.keyPem };
  return knock(
    'the same with a certificate of its own authority',
    connectTls({ host: '127.0.0.1', port, ...SETTINGS, ...own }),
  );
}

function knock(says: string, socket: Socket): Promise<Attempt> {
  return new Promise((resolve) => {
    let isAnswered = false;
    let end = 'closed without a word';
    socket.write(HTTP2_PREFACE);
    socket.on('data', (chunk: Buffer) => {
      // A TLS server may say no to plain text with an alert record; RFC 8446, 5.1.
      if (chunk[0] === ALERT) return;
      isAnswered = true;
      end = 'answered';
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end = error.code ?? error.message;
    });
    socket.on('close', () => resolve({ says, isAnswered, end }));
  });
}
