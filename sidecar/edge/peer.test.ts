// The peer port against those who have shown no certificate yet: they take so much and no more.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { closedRequest } from '../../api/exchange.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { identityOf } from '../testing/mesh.ts';
import { PeerEdge } from './peer.ts';

test('of connections without a handshake there are only so many, and peers that are served do not count', async () => {
  const ca = throwawayCa();
  const self = identityOf('shop');
  const warnings: unknown[] = [];
  const edge = new PeerEdge({
    ...{ self, open: () => closedRequest, bodyBytesMax: 1000, upgradeProtocols: [] },
    ...{ clock: systemClock, random: () => 0.5, handshakesMax: 3 },
    log: { ...silentLog, warn: (_message, fields) => warnings.push(fields) },
  });
  edge.use(ca.issue(self));
  edge.server.listen(0, '127.0.0.1');
  await once(edge.server, 'listening');
  const port = portOf(edge.server);
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    edge.destroy();
    edge.server.close();
    await once(edge.server, 'close');
  });
  const { svid } = ca.issue(identityOf('web'));
  for (let peers = 0; peers < 5; peers++) {
    const options = { port, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false };
    const peer = connectTls({ ...options, cert: svid.chainPem, key: svid.keyPem });
    sockets.push(peer);
    // Its SETTINGS: it is served.
    await once(peer, 'data');
  }
  const stranger = async () => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    return socket.resume();
  };
  for (let strangers = 0; strangers < 3; strangers++) await stranger();
  expect(warnings).toEqual([]);
  await once(await stranger(), 'close');
  expect(warnings).toMatchObject([{ reason: 'too many connections are amid their handshakes' }]);
});
