// What kind of place an IP address is. A name that anybody may register can lead to any of them, so that calling one by name
// must not reach what is only for programs of this machine, of its link, or of its cloud.
//
// An IPv6 address that stands for an IPv4 address (RFC 4291, 6052) is of that one's kind. Public are only those that are given out
// (2000::/3): what is beside them means something on some network alone, such as IPv4 in yet another disguise (::ffff:0:0:0/96).
import { BlockList, isIPv4 } from 'node:net';

export type AddressClass =
  | 'public'
  /** Of an organisation, a home or a cluster: pods and Services among them. */
  | 'private'
  | 'loopback'
  /** Neighbours, and what clouds serve there: credentials among it. */
  | 'link-local'
  /** Where clouds serve a machine's own credentials and settings. */
  | 'metadata'
  | 'multicast'
  | 'unspecified'
  /** For no host, or led through a tunnel or a translator that hides where it ends. */
  | 'reserved'
  /** An address of this machine, or of this pod. */
  | 'own';

/** The first that fits counts. */
const CLASSES: readonly (readonly [AddressClass, () => BlockList])[] = [
  [
    'metadata',
    blocks(
      ...['169.254.169.254/32', '169.254.170.2/32', '169.254.170.23/32', 'fd00:ec2::/64'],
      ...['100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32', 'fd20:ce::/64'],
    ),
  ],
  ['unspecified', blocks('0.0.0.0/8', '::/128')],
  ['loopback', blocks('127.0.0.0/8', '::1/128')],
  ['link-local', blocks('169.254.0.0/16', 'fe80::/10')],
  ['multicast', blocks('224.0.0.0/4', 'ff00::/8')],
  ['private', blocks('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7', 'fec0::/10')],
  [
    'reserved',
    // Protocol assignments, documentation, benchmarks; discard, documentation, Teredo, 6to4, NAT64 of a network's own.
    blocks(
      ...['192.0.0.0/24', '192.0.2.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '240.0.0.0/4'],
      ...['100::/64', '2001::/32', '2001:db8::/32', '2002::/16', '3fff::/20', '64:ff9b:1::/48', '5f00::/16'],
    ),
  ],
];

/** Of IPv6, to hosts of the Internet (RFC 4291, 2.4; IANA). */
const GIVEN_OUT = blocks('2000::/3');

/** `own`: the addresses of this machine's interfaces. */
export function classOf(address: string, own: readonly string[]): AddressClass {
  const plain = embeddedIPv4(address) ?? address;
  const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
  for (const [name, list] of CLASSES) {
    if (name === 'private' && isOneOf(plain, own)) return 'own';
    if (list().check(plain, family)) return name;
  }
  return family === 'ipv4' || GIVEN_OUT().check(plain, family) ? 'public' : 'reserved';
}

/** Whether two spellings are one address. */
export function isSameAddress(a: string, b: string): boolean {
  return isOneOf(embeddedIPv4(a) ?? a, [b]);
}

function isOneOf(address: string, others: readonly string[]): boolean {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  return others.some((other) => {
    const plain = embeddedIPv4(other) ?? other;
    if (isIPv4(plain) !== isIPv4(address)) return false;
    const list = new BlockList();
    list.addAddress(plain, family);
    return list.check(address, family);
  });
}

/** IPv4-mapped, IPv4-compatible, and behind the well-known prefix of NAT64. */
function embeddedIPv4(address: string): string | undefined {
  if (isIPv4(address)) return undefined;
  const words = wordsOf(address);
  const prefix = words.slice(0, 6).join(':');
  const [high = 0, low = 0] = words.slice(6);
  const isCompatible = prefix === '0:0:0:0:0:0' && (high !== 0 || low > 1);
  if (!isCompatible && prefix !== '0:0:0:0:0:65535' && prefix !== '100:65435:0:0:0:0') return undefined;
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** The eight words of an IPv6 address in any of its spellings. */
function wordsOf(address: string): number[] {
  const [unzoned = ''] = address.split('%');
  const dotted = unzoned.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map((word) => word.toString(16)).join(':'),
  );
  const [head = '', tail] = dotted.split('::');
  const read = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)));
  const [before, after] = [read(head), read(tail ?? '')];
  return [...before, ...Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after];
}

/** Made when it is first asked, by a call to somewhere outside: most sidecars make none, and all of them start. */
function blocks(...written: readonly string[]): () => BlockList {
  let list: BlockList | undefined;
  return () => {
    list ??= listOf(written);
    return list;
  };
}

function listOf(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net = '', bits] = subnet.split('/');
    list.addSubnet(net, Number(bits), isIPv4(net) ? 'ipv4' : 'ipv6');
  }
  return list;
}
