// Everybody who gathers something in a turn hears of its end, whatever others do there.
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { atTurnEnd } from './turn.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test('those of one turn hear of its end once, in the order in which they came', async () => {
  const heard: string[] = [];
  for (const name of ['a', 'b', 'c']) atTurnEnd({ turnOver: () => heard.push(name) });
  expect(heard).toEqual([]);
  await nextTurn();
  expect(heard).toEqual(['a', 'b', 'c']);
  await nextTurn();
  expect(heard).toEqual(['a', 'b', 'c']);
});

test('what is gathered while a turn ends waits for the end of the next', async () => {
  const heard: string[] = [];
  atTurnEnd({ turnOver: () => atTurnEnd({ turnOver: () => heard.push('later') }) });
  await nextTurn();
  expect(heard).toEqual([]);
  await nextTurn();
  expect(heard).toEqual(['later']);
});

test('who throws takes the turn of nobody else', async () => {
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const thrown = once(process, 'uncaughtException');
  const heard = new Promise((resolve) => {
    atTurnEnd({
      turnOver: () => {
        throw new Error('a bug');
      },
    });
    atTurnEnd({ turnOver: () => resolve('heard') });
  });
  try {
    expect(await thrown).toMatchObject([{ message: 'a bug' }, 'uncaughtException']);
    expect(await heard).toBe('heard');
  } finally {
    for (const other of others) process.on('uncaughtException', other);
  }
});
