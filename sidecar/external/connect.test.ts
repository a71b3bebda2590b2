// Connecting to an outside service: its last words are heard, whatever it does with the connection.
import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { expect, test } from 'vitest';
import { originOf } from '../../api/origin.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { systemClock } from '../../kit/clock.ts';
import { must } from '../../kit/result.ts';
import { hastyServer } from '../testing/hasty-server.ts';
import { certified } from '../testing/outside.ts';
import { type ConnectDeps, connectOutside, type Destination } from './connect.ts';

const DEPS: ConnectDeps = {
  clock: systemClock,
  lookUp: (_host, done) => queueMicrotask(() => done(null, ['127.0.0.1'])),
  ownAddresses: () => [],
};

test.each(['http', 'https'] as const)(
  'a service that answers early and hangs up is heard to the end: %s',
  async (scheme) => {
    const ca = throwawayCa();
    const isSecure = scheme === 'https';
    const server = await hastyServer(isSecure ? certified(ca) : undefined);
    const destination: Destination = {
      origin: originOf(scheme, 'localhost', server.port),
      spoken: 'http/1.1',
      isAllowed: () => true,
      secureContext: isSecure ? createSecureContext({ ca: ca.anchors.join('') }) : undefined,
    };
    const socket = await new Promise<Socket>((resolve) => {
      connectOutside(destination, DEPS, (connected) => resolve(must(connected)));
    });
    expect(await server.answerTo(socket)).toBe('answer');
  },
);
