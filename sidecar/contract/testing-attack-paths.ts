// For tests of attacks: thousands of ways to write a path that some server takes for /admin, and many that none does.

const NAME = 'admin';
const bytes = Array.from({ length: 256 }, (_, byte) => byte);
const hex = (byte: number) => byte.toString(16).padStart(2, '0');

/** Each byte, as it is and encoded once and twice, in every place where it may matter. */
function everyByte(): string[] {
  const spellings = bytes.flatMap((byte) => [
    String.fromCharCode(byte),
    `%${hex(byte)}`,
    `%${hex(byte).toUpperCase()}`,
    `%25${hex(byte)}`,
  ]);
  return [...new Set(spellings)].flatMap((byte) => [
    `/${byte}admin`,
    `/${byte}/admin`,
    `/ad${byte}min`,
    `/admin${byte}`,
    `/admin${byte}x`,
  ]);
}

/** Each letter in either case, encoded once or twice, mixed. */
function everyMixture(): string[] {
  const spellings = (letter: string) => [
    letter,
    letter.toUpperCase(),
    `%${hex(letter.charCodeAt(0))}`,
    `%25${hex(letter.toUpperCase().charCodeAt(0))}`,
  ];
  const all = [...NAME].reduce(
    (sofar, letter) => sofar.flatMap((text) => spellings(letter).map((end) => text + end)),
    [''],
  );
  return all.map((name) => `/${name}`);
}

const WAYS_IN = [
  ...['/', '//', '/./', '/x/../', '/x/%2e%2e/', '/x/%2E./', '/%2e/', '/%2e%2e/', '/%252e/', '/x/%252e%252e/'],
  ...['\\', '/\\', '/%5c', '/%2f', '/%2f%2F', '/%252f', '/%255C', '/%25252f', '/x\\..\\', '/x%5c..%5c', '/x/..%5c'],
  ...['/;x/', '/;/', '/%3b/', '/;%2f', '/x;y/../', '/x/..;/', '/x/..;y=1/', '/x/..%3b/', '/x/%2e%2e;/'],
  ...['/public/../', '/public/..;/', '/public%2f..%2f', '/public%2f', '/public/..%2f', '/public/%2e%2e%2f'],
  ...['/public/%252e%252e%252f', '/public/%252e%252e/', '/public/..%255c', '/public/..%00/', '/public/%c0%ae%c0%ae/'],
  ...[
    '/%c0%af',
    '/%e0%80%af',
    '/%f0%80%80%af',
    '/..%c0%af',
    '/%c1%9c',
    '/%25c0%25af',
    '/%ef%bc%8f',
    '/%ef%bb%bf',
    '/%e2%88%95',
  ],
  ...['', '?/', '#/', '/?/', '/%3f/../', '/x%3f/../', '/x%23/../', '/x%00/../', 'x/../', '..;/', './'],
];
const NAMES = [
  ...['admin', 'Admin', 'ADMIN', '%61dmin', '%41DMIN', '%2561dmin', '%252561dmin', '%25%36%31dmin'],
  ...['admin/', 'admin//', 'admin/.', 'admin/./', 'admin/x/..', 'admin/x', 'admin/x/y', 'admin%2f', 'admin%2fx'],
  ...['admin%5c', 'admin%5cx', 'admin\\x', 'admin%252fx', 'admin%255cx', 'admin%2f..%2fpublic', 'admin/../public'],
  ...['admin;x', 'admin;', 'admin;/x', 'ADMIN;%2F', 'admin%3bx', 'admin%253bx', 'admin;x%2fy', '%61dmin;%25ff'],
  ...['admin?x', 'admin?', 'admin%3f', 'admin%3fx/y', 'admin%253f', 'admin#', 'admin%23', 'admin%2523x'],
  ...[
    'admin%00',
    'admin%20',
    'admin%09',
    'admin%0d%0a',
    'admin.',
    'admin%2e',
    'admin/%2e',
    '%C4%B1admin',
    'adm%C4%B1n',
  ],
];

/** One character for each byte; some of them no HTTP parser takes. */
export const ATTACKS: readonly string[] = [
  ...new Set([...everyByte(), ...everyMixture(), ...WAYS_IN.flatMap((way) => NAMES.map((name) => way + name))]),
];

/** The same around the name of a service of gRPC. */
export const GRPC_ATTACKS: readonly string[] = ATTACKS.filter((path) => /admin/i.test(path)).map(
  (path) => `${path.replace(/admin/i, (name) => `shop.v1.${name}`)}/Drop`,
);
