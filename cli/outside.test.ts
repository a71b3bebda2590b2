// What a sidecar on a laptop may call outside of the mesh: out of flags and resource files.
import { expect, test } from 'vitest';
import { readHttpEndpoint } from '../api/http-endpoint.ts';
import { parseAppId } from '../api/ids.ts';
import { must } from '../kit/result.ts';
import { snapshot } from '../kit/snapshot.ts';
import { endpointsFor, outsideOfLaptop } from './outside.ts';

const loaded = (name: string, scopes?: readonly string[]) => ({
  endpoint: must(readHttpEndpoint(name, { baseUrl: 'https://bank.example' })),
  scopes,
});

test('an app is given the endpoints whose scopes have it, or that have none', () => {
  const all = [loaded('a'), loaded('b', ['shop', 'web']), loaded('c', ['shop'])];
  expect(endpointsFor(must(parseAppId('web')), all).map(({ name }) => name)).toEqual(['a', 'b']);
});

test('public hosts may be called, and variables are those of the environment', () => {
  const { endpoint } = loaded('bank');
  const outside = outsideOfLaptop({ allowed: [], secretsDirectory: '/secrets' }, snapshot([endpoint]), {
    env: { BANK_ID: '7' },
  });
  const { arePublicHostsAllowed, allowed, endpoints } = outside.rules.current();
  expect([arePublicHostsAllowed, allowed, endpoints.get('bank')]).toEqual([true, [], endpoint]);
  expect([outside.variable('BANK_ID'), outside.variable('OTHER'), outside.secretsDirectory]).toEqual([
    '7',
    undefined,
    '/secrets',
  ]);
});
