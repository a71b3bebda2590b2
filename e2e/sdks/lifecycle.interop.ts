// What else Dapr's SDKs ask of a sidecar: that it is ready, who it is, that it ends; and the tokens that both sides show.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePort } from '../../kit/testing/ports.ts';
import { machine } from '../machine.ts';
import { areMissing, type ClientName, outcomesOf, type Step, separateClient, startApp } from './programs.ts';

const echo = (app: string): Step => ({ do: 'invoke', app, method: 'echo', data: '{}' });
const ALL = ['py-http', 'py-grpc', 'js-http', 'js-grpc'] as const satisfies readonly ClientName[];
const METADATA: readonly Step[] = [{ do: 'set', key: 'colour', value: 'blue' }, { do: 'metadata' }];

describe.skipIf(areMissing)('what SDKs ask of a sidecar', { timeout: 120_000 }, () => {
  test('a client in Python that is there first waits for its sidecar', async () => {
    const laptop = machine();
    await startApp(laptop, 'py-http');
    const ports = { httpPort: await freePort(), grpcPort: await freePort() };
    const client = separateClient('py-http', [echo('py-http')], ports);
    await client.program.printed(/Health check on .* failed/);
    await laptop.sidecar('web', ['--http-port', String(ports.httpPort)]);
    expect(await client.outcomes()).toMatchObject([{ status: 200 }]);
  });

  test('a client in Python gives up after DAPR_HEALTH_TIMEOUT on a sidecar that gets no certificate', async () => {
    const laptop = machine();
    await laptop.sidecar('signed');
    const ports = { httpPort: await freePort(), grpcPort: await freePort() };
    const own = ['--app-id', 'web', '--http-port', String(ports.httpPort), '--metrics-port', '0'];
    const noSentry = ['--sentry-address', `127.0.0.1:${await freePort()}`];
    const anchors = ['--trust-anchors-file', join(laptop.home, 'ca/trust-anchors.crt')];
    await laptop.invokectl('sidecar', ...own, ...noSentry, ...anchors).printed(/listening/);
    const client = separateClient('py-http', [echo('web')], ports, { DAPR_HEALTH_TIMEOUT: '1' });
    await client.program.printed(/Health check on .* failed/);
    await client.program.printed(/Dapr health check timed out, after 1\.0/);
  });

  test('both tokens: the SDKs show theirs to the sidecar, and the sidecar shows the other to the app', async () => {
    const laptop = machine();
    const apps = ['py-http', 'js-http', 'py-grpc', 'js-grpc'] as const;
    const env = { DAPR_API_TOKEN: 'for-the-sidecar', APP_API_TOKEN: 'for-the-app' };
    await Promise.all(apps.map((app) => startApp(laptop, app, { env })));
    for (const client of ALL) {
      const outcomes = await outcomesOf(laptop, client, apps.map(echo), { env });
      expect(outcomes.filter((outcome) => 'failure' in outcome)).toEqual([]);
      const heard = JSON.stringify(outcomes);
      // The SDK for JavaScript does not tell its handlers of metadata.
      expect(heard.match(/for-the-app/g)).toHaveLength(3);
      expect(heard).not.toContain('for-the-sidecar');
    }
  });

  test.each([
    ['py-http', 401],
    ['py-grpc', 'UNAUTHENTICATED'],
  ] as const)('the client %s with another token is told %s', async (name, status) => {
    const sidecar = await machine().sidecar('web', ['--grpc-port', '0'], { DAPR_API_TOKEN: 'one' });
    const client = separateClient(name, [echo('web')], sidecar, { DAPR_API_TOKEN: 'another' });
    expect(await client.outcomes()).toMatchObject([{ failure: { status } }]);
  });

  test.each(ALL)('the client %s reads and writes metadata', async (client) => {
    const [set, read] = await outcomesOf(machine(), client, METADATA);
    expect(set).not.toHaveProperty('failure');
    expect(read).toMatchObject({ id: 'caller', extended: { colour: 'blue' } });
  });

  test.each(ALL)('the client %s ends its sidecar', async (client) => {
    const sidecar = await machine().sidecar('web', ['--grpc-port', '0']);
    expect(await separateClient(client, [{ do: 'shutdown' }], sidecar).outcomes()).toEqual([{}]);
    expect(await sidecar.cli.ended).toBe(0);
  });

  test('a client in JavaScript over gRPC waits for its sidecar, too', async () => {
    const laptop = machine();
    const ports = { httpPort: await freePort(), grpcPort: await freePort() };
    const client = separateClient('js-grpc', METADATA, ports);
    await client.program.printed(/Awaiting Sidecar to be Started/);
    await laptop.sidecar('web', ['--grpc-port', String(ports.grpcPort)]);
    expect((await client.outcomes()).at(-1)).toMatchObject({ id: 'web' });
  });
});
