// From flags and environment to what a sidecar is started with, and every mistake on the way said.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { throwawayCa } from '../identity/testing.ts';
import { addFlags, printFlags, SIDECAR_FLAGS } from './flag-table.ts';
import { readFlags } from './flags.ts';
import type { Env } from './host.ts';
import { silentHost, throwawayFolder } from './testing.ts';

function read(args: readonly string[], env: Env = {}) {
  const command = new Command().exitOverride();
  const raw = addFlags(command, SIDECAR_FLAGS);
  command.parse([...args], { from: 'user' });
  return { raw, settings: readFlags(raw, { ...silentHost(), env }) };
}

function settingsOf(args: readonly string[], env: Env = {}) {
  const { settings } = read(['--app-id', 'web', ...args], env);
  return settings.ok ? settings.value : expect.fail(settings.error.join('\n'));
}

function mistakesIn(args: readonly string[]): readonly string[] {
  const { settings } = read(args);
  return settings.ok ? [] : settings.error;
}

test('without a flag but the name, everything is private to this machine and no default port is insisted on', () => {
  expect(settingsOf([])).toEqual({
    config: {
      appId: 'web',
      namespace: 'default',
      trustDomain: 'cluster.local',
      app: { port: undefined, host: 'localhost', protocol: 'http', token: undefined },
      sentry: { kind: 'socket', path: '/home/user/.invoke/ca/sign.sock' },
      httpPort: { port: 3500, isFlexible: true },
      grpcPort: { port: 50001, isFlexible: true },
      peerPort: { port: 0, isFlexible: true },
      publicPort: undefined,
      metricsPort: { port: 9090, isFlexible: true },
      listenAddresses: ['127.0.0.1'],
      peerListenAddress: '127.0.0.1',
      bodyBytesMax: 4 * 2 ** 20,
      gracefulShutdownMs: 5000,
      apiToken: undefined,
      allowedOrigins: [],
      allowedHosts: [],
      upgradeProtocols: [],
      statuses: 'honest',
    },
    names: { kind: 'registry', directory: '/home/user/.invoke/registry' },
    signer: {
      stateDirectory: '/home/user/.invoke/ca',
      socketPath: '/home/user/.invoke/ca/sign.sock',
      trustDomain: 'cluster.local',
      workloadCertTtlMs: undefined,
    },
    log: { level: 'info', format: 'text' },
    resourcesPaths: [],
    outside: { allowed: [], secretsDirectory: undefined },
    remarks: [],
  });
});

test.each([
  ['--http-port', '3600', { httpPort: { port: 3600, isFlexible: false } }],
  ['--dapr-http-port', '3600', { httpPort: { port: 3600, isFlexible: false } }],
  ['-H', '3600', { httpPort: { port: 3600, isFlexible: false } }],
  ['--http-port', '0', { httpPort: { port: 0, isFlexible: true } }],
  ['--grpc-port', '0', { grpcPort: { port: 0, isFlexible: true } }],
  ['--dapr-grpc-port', '51001', { grpcPort: { port: 51001, isFlexible: false } }],
  ['-P', 'grpc', { app: { port: undefined, host: 'localhost', protocol: 'grpc', token: undefined } }],
  ['--dapr-internal-grpc-port', '7', { peerPort: { port: 7, isFlexible: false } }],
  ['-M', '9091', { metricsPort: { port: 9091, isFlexible: false } }],
  ['--dapr-public-port', '3501', { publicPort: { port: 3501, isFlexible: false } }],
  ['--dapr-listen-addresses', '[::1],127.0.0.1', { listenAddresses: ['::1', '127.0.0.1'] }],
  ['--dapr-graceful-shutdown-seconds', '7', { gracefulShutdownMs: 7000 }],
  ['--graceful-shutdown', '1m30s', { gracefulShutdownMs: 90_000 }],
  ['--max-body-size', '16Mi', { bodyBytesMax: 16 * 2 ** 20 }],
  ['--max-body-size', '-1', { bodyBytesMax: Number.POSITIVE_INFINITY }],
  ['--app-channel-address', '10.0.0.9', { app: { port: undefined, host: '10.0.0.9', token: undefined } }],
  ['--allowed-origins', 'http://localhost:8080, *', { allowedOrigins: ['http://localhost:8080', '*'] }],
  ['--allowed-hosts', 'My-Laptop.local', { allowedHosts: ['my-laptop.local'] }],
  ['--upgrade-protocols', 'Talk, chat/2', { upgradeProtocols: ['talk', 'chat/2'] }],
  ['--statuses', 'dapr', { statuses: 'dapr' }],
  ['--name-resolution', 'mdns', { peerListenAddress: '::' }],
  ['-n', 'shop', { namespace: 'shop' }],
])('%s %s', (flag, text, expected) => {
  expect(settingsOf([flag, text]).config).toMatchObject(expected);
});

test.each([
  [['--app-port', '9090'], { metricsPort: { port: 0, isFlexible: true }, httpPort: { port: 3500, isFlexible: true } }],
  [['--app-port', '3500'], { httpPort: { port: 0, isFlexible: true } }],
  [['--app-port', '50001'], { grpcPort: { port: 0, isFlexible: true } }],
  [
    ['--metrics-port', '3500'],
    { metricsPort: { port: 3500, isFlexible: false }, httpPort: { port: 0, isFlexible: true } },
  ],
  [['--peer-port', '50001'], { grpcPort: { port: 0, isFlexible: true } }],
])('a default port gives way to one that was named: %j', (flags, expected) => {
  expect(settingsOf(flags).config).toMatchObject(expected);
});

test('the same port for two is a mistake, unless they are at different addresses', () => {
  expect(
    mistakesIn(['-a', 'web', '-p', '8080', '--http-port', '8080', '--grpc-port', '7', '--metrics-port', '7']),
  ).toEqual([
    '--http-port: 8080 is the port of --app-port, too; choose another for one of them',
    '--metrics-port: 7 is the port of --grpc-port, too; choose another for one of them',
  ]);
  expect(settingsOf(['--http-port', '0', '--grpc-port', '0']).config.httpPort.port).toBe(0);
  for (const elsewhere of [
    ['--app-channel-address', '10.0.0.9'],
    ['--listen-addresses', '10.0.0.9'],
  ]) {
    const { httpPort } = settingsOf(['--app-port', '8080', '--http-port', '8080', ...elsewhere]).config;
    expect(httpPort).toEqual({ port: 8080, isFlexible: false });
  }
});

test('a list of peers is itself the choice of where names come from', () => {
  const { config, names } = settingsOf(['-n', 'shop', '--peer', 'a=10.0.0.1:1,[::1]:2', '--peer', 'b.lab=db.local:3']);
  expect(names).toEqual({
    kind: 'static',
    peers: [
      {
        target: { app: 'a', namespace: 'shop' },
        addresses: [
          { host: '10.0.0.1', port: 1 },
          { host: '::1', port: 2 },
        ],
      },
      { target: { app: 'b', namespace: 'lab' }, addresses: [{ host: 'db.local', port: 3 }] },
    ],
  });
  expect(config.peerListenAddress).toBe('::');
});

test('outside hosts add up, and Secrets are a folder', () => {
  const flags = [
    '--allowed-external',
    'localhost:8080, *.Corp.example',
    '--allowed-external',
    '[fd00::7]',
    '--secrets-path',
    's',
  ];
  expect(settingsOf(flags).outside).toEqual({
    allowed: [
      { kind: 'host', host: 'localhost', port: 8080 },
      { kind: 'below', host: 'corp.example', port: undefined },
      { kind: 'host', host: 'fd00::7', port: undefined },
    ],
    secretsDirectory: '/somewhere/s',
  });
});

test('an app that calls nobody may have an empty list', () => {
  expect(settingsOf(['--name-resolution', 'static']).names).toEqual({ kind: 'static', peers: [] });
  expect(settingsOf(['--name-resolution', 'mdns']).names).toEqual({ kind: 'mdns', interfaceAddress: undefined });
});

test('an authority elsewhere takes the place of the private one', () => {
  const { config, signer } = settingsOf([
    '--sentry-address',
    'ca:50003',
    '--trust-anchors-file',
    'ca.pem',
    '--token-file',
    '/t',
  ]);
  expect(signer).toBeUndefined();
  expect(config.sentry).toEqual({
    kind: 'tls',
    host: 'ca',
    port: 50_003,
    trustAnchorsFile: '/somewhere/ca.pem',
    tokenFile: '/t',
  });
});

test('tokens come from the environment, ours before Dapr’s, and an empty one is none', () => {
  expect(settingsOf([], { DAPR_API_TOKEN: 'd', APP_API_TOKEN: 'a' }).config).toMatchObject({
    apiToken: 'd',
    app: { token: 'a' },
  });
  expect(settingsOf([], { DAPR_API_TOKEN: 'd', INVOKE_API_TOKEN: 'i' }).config.apiToken).toBe('i');
  expect(settingsOf([], { INVOKE_API_TOKEN: '' }).config.apiToken).toBeUndefined();
  expect(settingsOf([], { INVOKE_HOME: '/x' }).names).toEqual({ kind: 'registry', directory: '/x/registry' });
});

test('every mistake is told, each once, by the flag as it was written', () => {
  const mistakes = mistakesIn([
    ...['--app-id', 'Web', '-p', '0', '--dapr-http-port', '70000', '--app-protocol', 'soap', '--namespace', 'A'],
    ...[
      '--peer',
      'x',
      '--sentry-address',
      'nowhere',
      '--max-body-size',
      '4Mb',
      '--dapr-graceful-shutdown-seconds',
      '5s',
    ],
    ...[
      '--log-level',
      'loud',
      '--listen-addresses',
      '127.0.0.1,home',
      '--allowed-origins',
      'localhost',
      '--statuses',
      'x',
      '--upgrade-protocols',
      'talk,h2c',
    ],
    ...['--workload-cert-ttl', '0s', '--name-resolution', 'dns', '--trust-domain', 'A/B', '--grpc-port', 'x'],
  ]);
  const flags = mistakes.map((mistake) => mistake.split(/[: ]/, 1).join());
  expect(flags.sort()).toEqual(
    [
      ...['--app-id', '--app-port', '--dapr-http-port', '--app-protocol', '--namespace', '--peer', '--sentry-address'],
      ...[
        '--sentry-address',
        '--max-body-size',
        '--dapr-graceful-shutdown-seconds',
        '--log-level',
        '--listen-addresses',
      ],
      ...[
        '--allowed-origins',
        '--upgrade-protocols',
        '--statuses',
        '--workload-cert-ttl',
        '--workload-cert-ttl',
        '--name-resolution',
      ],
      ...['--trust-domain', '--grpc-port'],
    ].sort(),
  );
});

test.each([
  [[], '--app-id is missing; name this app, such as --app-id web'],
  [['-a', 'web', '--app-port', 'x'], '--app-port: "x" is not a port; give a number from 1 to 65535'],
  [
    ['-a', 'web', '-p', '80', '--enable-app-health-check', '--app-health-probe-timeout', '6000'],
    '--app-health-probe-timeout: 6000 ms is longer than the interval of 5 s; make it shorter',
  ],
  [
    ['-a', 'web', '--app-max-concurrency', '0'],
    '--app-max-concurrency: "0" is not a number of calls; give a whole number from 1 to 1000000',
  ],
  [['-a', 'web', '--app-protocol', 'soap'], '--app-protocol: "soap" is none of http, h2c, https, grpc, grpcs'],
  [
    ['-a', 'web', '--app-protocol', 'h2c', '--app-tls-unverified'],
    '--app-tls-unverified: it goes with --app-protocol https or grpcs, and the app speaks h2c',
  ],
  [
    ['-a', 'web', '--app-protocol', 'https', '--app-tls-unverified', '--app-tls-server-name', 'shop.example'],
    '--app-tls-unverified: nothing is verified with it, and --app-tls-server-name would mean nothing',
  ],
  [
    ['-a', 'web', '--app-protocol', 'https', '--app-tls-ca', '/nowhere/ca.pem'],
    '--app-tls-ca: "/nowhere/ca.pem" cannot be read: it does not exist',
  ],
  [
    ['-a', 'web', '--app-protocol', 'https', '--app-tls-ca', '/dev/null'],
    '--app-tls-ca: /dev/null is no file of certificates in PEM: there is no certificate in it',
  ],
  [
    ['-a', 'web', '--name-resolution', 'mdns', '--peer', 'a=b:1'],
    '--peer: it goes with --name-resolution static, not with mdns; leave one of the two out',
  ],
  [
    ['-a', 'web', '--sentry-address', 'ca:1'],
    '--sentry-address: it needs --trust-anchors-file FILE, by which the authority is proven',
  ],
  [['-a', 'web', '--token-file', 't'], '--token-file: it goes with --sentry-address, which is missing'],
])('%j is one mistake: %s', (args, mistake) => {
  expect(mistakesIn(args)).toEqual([mistake]);
});

test('an app behind TLS is verified, by whoever is named, unless that is switched off', () => {
  const folder = throwawayFolder('flags');
  const [anchor = ''] = throwawayCa().anchors;
  writeFileSync(join(folder, 'ca.pem'), anchor);
  const https = ['--app-protocol', 'https'];
  expect(settingsOf(https).config.app.tls).toBeUndefined();
  const given = [...https, '--app-tls-ca', join(folder, 'ca.pem'), '--app-tls-server-name', 'Shop.example'];
  expect(settingsOf(given).config.app.tls).toEqual({ caPem: anchor, serverName: 'shop.example', isUnverified: false });
  expect(settingsOf(['--app-tls-unverified', ...https]).config.app.tls).toEqual({ isUnverified: true });
});

test('an app is looked after where that was asked for', () => {
  const { app } = settingsOf(['--app-max-concurrency', '-1']).config;
  expect([app.maxConcurrency, app.health]).toEqual([undefined, undefined]);
  const flags = ['-p', '80', '--app-max-concurrency', '3', '--enable-app-health-check'];
  expect(settingsOf(flags).config.app).toMatchObject({
    maxConcurrency: 3,
    health: { path: '/healthz', intervalMs: 5000, timeoutMs: 500, threshold: 3 },
  });
  const more = ['--app-health-check-path', 'alive', '--app-health-probe-interval', '1'];
  more.push('--app-health-probe-timeout', '99', '--app-health-threshold', '7');
  expect(settingsOf([...flags, ...more]).config.app.health).toEqual({
    ...{ path: '/alive', intervalMs: 1000, timeoutMs: 99, threshold: 7 },
  });
});

test('flags of a health check that there is none of are taken, and it is said that they do nothing', () => {
  const { config, remarks } = settingsOf(['-p', '80', '--app-health-threshold', '5', '--app-health-check-path', 'x']);
  expect(config.app.health).toBeUndefined();
  expect(remarks).toEqual([
    '--app-health-check-path does nothing without --enable-app-health-check',
    '--app-health-threshold does nothing without --enable-app-health-check',
  ]);
  const portless = settingsOf(['--enable-app-health-check', '--app-health-threshold', '5']);
  expect(portless.remarks).toEqual(['--enable-app-health-check does nothing without --app-port']);
  expect(portless.config.app.health).toBeUndefined();
  expect(mistakesIn(['-a', 'web', '--app-health-threshold', 'many'])).toHaveLength(1);
});

test.each<[readonly string[], boolean]>([
  [['--enable-app-health-check'], true],
  [['--enable-app-health-check=true'], true],
  [['--enable-app-health-check=false'], false],
  [['--enable-app-health-check', '--enable-app-health-check=false'], false],
  [['--enable-app-health-check=false', '--enable-app-health-check=true'], true],
])('a switch may have a value: %j', (args, isOn) => {
  const { raw, settings } = read(['-a', 'web', '-p', '80', ...args]);
  expect(settings.ok && settings.value.config.app.health !== undefined).toBe(isOn);
  expect(read(printFlags(raw)).settings).toEqual(settings);
});

test('a switch takes no other value, nor the word that comes after it', () => {
  expect(() => read(['--app-tls-unverified=yes'])).toThrow("unknown option '--app-tls-unverified=yes'");
  const command = new Command().exitOverride().argument('[WORDS...]').passThroughOptions();
  const raw = addFlags(command, SIDECAR_FLAGS);
  command.parse(['--enable-app-health-check', 'true', '--enable-app-health-check=false'], { from: 'user' });
  expect([command.args, raw.appHealthCheck?.length]).toEqual([['true', '--enable-app-health-check=false'], 1]);
});

test('the flags handed to another process mean the same there', () => {
  const args = ['-a', 'web', '--dapr-http-port', '3600', '--peer', 'a=b:1', '--peer', 'c=d:2', '--max-body-size', '-1'];
  args.push('--app-protocol', 'grpcs', '--app-tls-unverified', '--app-port', '80', '--enable-app-health-check');
  const { raw, settings } = read(args);
  expect(read(printFlags(raw)).settings).toEqual(settings);
});
