// Names that are not there: what is said about them, and which other name may have been meant.
import { expect, test } from 'vitest';
import { givenList, thisMachine, thisNetwork, unknownApp } from './absent.ts';
import { target } from './names.suite.ts';

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
