// Which upgrades are carried.
import { expect, test } from 'vitest';
import { carriedProtocol, parseUpgradeProtocol } from './upgrade.ts';

test.each([
  ['talk', 'talk'],
  ['Chat/2', 'chat/2'],
  ['tcp', 'tcp'],
])('%s can be listed', (text, protocol) => {
  expect(parseUpgradeProtocol(text)).toEqual({ ok: true, value: protocol });
});

test.each(['h2c', 'H2C', 'h2', 'HTTP/2.0', 'http/3', 'TLS/1.2', 'tls', 'h3', 'https'])(
  '%s never leaves a sidecar',
  (text) => {
    expect(parseUpgradeProtocol(text)).toMatchObject({ ok: false, error: expect.stringContaining('no policy') });
  },
);

test.each(['', 'a b', 'a/b/c', 'a,b', 'a/', '/b', 'é', 'a\r\nb'])('%j is no token', (text) => {
  expect(parseUpgradeProtocol(text)).toMatchObject({ ok: false, error: expect.stringContaining('token') });
});

test.each([
  ['GET', 'websocket', [], 'websocket'],
  ['GET', 'WebSocket', [], 'websocket'],
  ['POST', 'websocket', [], undefined],
  ['GET', 'h2c', [], undefined],
  ['GET', 'h2c, websocket', [], 'websocket'],
  ['GET', 'talk', [], undefined],
  ['POST', 'TALK', ['talk'], 'talk'],
  ['GET', 'talk/2', ['talk'], undefined],
  ['GET', ' , other,\ttalk , websocket', ['talk'], 'talk'],
  ['GET', 'websocket2', [], undefined],
])('%s with "Upgrade: %s", where %j are listed: %s', (method, upgrade, listed, carried) => {
  expect(carriedProtocol(method, upgrade, listed)).toBe(carried);
});
