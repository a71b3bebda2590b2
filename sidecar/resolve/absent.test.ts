// Names that are not there: what is said about them, and which other name may have been meant.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { distance, givenList, thisMachine, thisNetwork, unknownApp } from './absent.ts';
import { target } from './names.suite.ts';

test.each([
  ['orders', 'orders', 0],
  ['orders', 'ordres', 1],
  ['orders', 'order', 1],
  ['orders', 'borders', 1],
  ['orders', 'orbers', 1],
  ['orders', 'stock', 6],
  ['', 'abc', 3],
])('from %s to %s it is %i slips', (a, b, slips) => {
  expect(distance(a, b)).toBe(slips);
});

test('slips count alike in both directions, and none means equal', () => {
  const word = fc.stringMatching(/^[abc]{0,6}$/);
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(distance(a, b)).toBe(distance(b, a));
      expect(distance(a, b) === 0).toBe(a === b);
    }),
  );
});

test('in a short name, two slips are another name', () => {
  expect(unknownApp(target('web'), [target('wab')], thisMachine).message).toContain('Did you mean "wab"?');
  expect(unknownApp(target('web'), [target('api')], thisMachine).message).not.toContain('Did you mean');
});

test.each([
  [
    thisMachine,
    'on this machine. Start it with "invokectl run --app-id web --namespace shop --app-port PORT -- COMMAND"',
  ],
  [thisNetwork, 'on this network. Start it with "invokectl run --app-id web --namespace shop --name-resolution mdns'],
  [givenList, 'in the list given with --peer. Add it to the list: --peer web=HOST:PORT'],
])('the advice fits whoever was asked', (asked, said) => {
  expect(unknownApp(target('web', 'shop'), [], asked).message).toContain(said);
});
