// Names from a list: found as they are given, whatever is announced.
import { expect, test } from 'vitest';
import { announcement, settled, target } from './names.suite.ts';
import { openStaticList } from './static-list.ts';

// The shared suite is about names that are announced; a static list announces nothing.
const list = openStaticList([
  {
    target: target('web'),
    addresses: [
      { host: '10.0.0.1', port: 1 },
      { host: '10.0.0.2', port: 2 },
    ],
  },
  { target: target('web', 'shop'), addresses: [{ host: '10.0.0.3', port: 3 }] },
  { target: target('web'), addresses: [{ host: '10.0.0.4', port: 4 }] },
]);

test('every address given for a name is used, and its namespace counts', async () => {
  const hosts = async (namespace: string) => {
    const resolved = await settled(list, target('web', namespace));
    return resolved.kind === 'found'
      ? resolved.upstream.endpoints().map((endpoint) => endpoint.host)
      : resolved.fault.code;
  };
  expect(await hosts('default')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.4']);
  expect(await hosts('shop')).toEqual(['10.0.0.3']);
  expect(await hosts('lab')).toBe('unknown-app');
});

test('in an empty list no name is known, and the message says how to add one', async () => {
  const resolved = await settled(openStaticList([]), target('web'));
  expect(resolved).toMatchObject({
    kind: 'absent',
    fault: { code: 'unknown-app', message: expect.stringContaining('--peer web=HOST:PORT') },
  });
});

test('announcing changes nothing', async () => {
  list.announce(announcement('api', 5)).setReady(true);
  expect((await settled(list, target('api'))).kind).toBe('absent');
});
