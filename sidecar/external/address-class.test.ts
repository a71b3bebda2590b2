// What kind of place an address is, in every spelling and disguise.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classOf, isSameAddress } from './address-class.ts';

test.each([
  ['8.8.8.8', 'public'],
  ['2606:4700::1111', 'public'],
  ['64:ff9b::8.8.8.8', 'public'],
  ['10.255.0.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.32.0.1', 'public'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'private'],
  ['fd00::1', 'private'],
  ['127.0.0.1', 'loopback'],
  ['::1', 'loopback'],
  ['0:0:0:0:0:0:0:1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['::127.0.0.1', 'loopback'],
  ['64:ff9b::7f00:1', 'loopback'],
  ['169.254.0.1', 'link-local'],
  ['fe80::1%eth0', 'link-local'],
  ['febf::1', 'link-local'],
  ['169.254.169.254', 'metadata'],
  ['::ffff:a9fe:a9fe', 'metadata'],
  ['fd00:ec2::254', 'metadata'],
  ['fd00:0ec2:0:0::254', 'metadata'],
  ['fd20:ce::254', 'metadata'],
  ['168.63.129.16', 'metadata'],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['::', 'unspecified'],
  ['::ffff:0.0.0.0', 'unspecified'],
  ['239.1.2.3', 'multicast'],
  ['ff05::1', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['2002:7f00:1::1', 'reserved'],
  ['2001:0:7f00:1::1', 'reserved'],
  ['64:ff9b:1::7f00:1', 'reserved'],
  ['192.0.2.1', 'reserved'],
  ['::ffff:0:7f00:1', 'reserved'],
  ['::ffff:0:169.254.169.254', 'reserved'],
  ['64:ff9b:2::7f00:1', 'reserved'],
  ['::1:0:0:1', 'reserved'],
  ['4000::1', 'reserved'],
  ['3ffe::1', 'public'],
])('%s is %s', (address, expected) => {
  expect(classOf(address, [])).toBe(expected);
});

test('an address of this machine is its own, however it is written', () => {
  const own = ['93.184.216.34', '10.0.0.7', '2606:4700::1'];
  for (const address of ['93.184.216.34', '::ffff:93.184.216.34', '10.0.0.7', '2606:4700:0::0001']) {
    expect([address, classOf(address, own)]).toEqual([address, 'own']);
  }
  expect(classOf('10.0.0.8', own)).toBe('private');
});

test('an IPv4 address is of one kind in all that stands for it', () => {
  fc.assert(
    fc.property(fc.ipV4(), (ip) => {
      const [a = 0, b = 0, c = 0, d = 0] = ip.split('.').map(Number);
      const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
      for (const disguise of [`::ffff:${ip}`, `::ffff:${hex}`, `0:0:0:0:0:ffff:${hex}`, `64:ff9b::${ip}`]) {
        expect([disguise, classOf(disguise, [])]).toEqual([disguise, classOf(ip, [])]);
        expect(isSameAddress(disguise, ip)).toBe(true);
      }
    }),
  );
});
