// One writer, many readers: every reader ends with the newest version, whatever the others do meanwhile.
import { expect, test, vi } from 'vitest';
import { snapshot } from './snapshot.ts';

test('readers see the version of the moment', () => {
  const version = snapshot(1);
  expect(version.current()).toBe(1);
  version.set(2);
  expect(version.current()).toBe(2);
});

test('listeners hear of each change after it was made, and not of the first version', () => {
  const version = snapshot(1);
  const heard: [number, number][] = [];
  version.changed((value) => heard.push([value, version.current()]));
  version.set(2);
  version.set(3);
  expect(heard).toEqual([
    [2, 2],
    [3, 3],
  ]);
});

test('a cancelled listener hears nothing more, also when another cancels it during a change', () => {
  const version = snapshot(1);
  const cancelled = vi.fn();
  version.changed(() => cancel());
  const cancel = version.changed(cancelled);
  version.set(2);
  version.set(3);
  expect(cancelled).not.toHaveBeenCalled();
});

test('a listener that comes during a change hears of the next one', () => {
  const version = snapshot(1);
  const late = vi.fn();
  const cancel = version.changed(() => {
    cancel();
    version.changed(late);
  });
  version.set(2);
  expect(late).not.toHaveBeenCalled();
  version.set(3);
  expect(late).toHaveBeenCalledExactlyOnceWith(3);
});

test('a change made by a listener reaches every listener last', () => {
  const version = snapshot(1);
  const heard: number[] = [];
  version.changed((value) => {
    if (value === 2) version.set(3);
  });
  version.changed((value) => heard.push(value));
  version.set(2);
  expect(heard.at(-1)).toBe(3);
  expect(heard).not.toContain(2);
});

test('the same function may listen twice, and one of the two be cancelled', () => {
  const version = snapshot(1);
  const listener = vi.fn();
  version.changed(listener);
  version.changed(listener)();
  version.set(2);
  expect(listener).toHaveBeenCalledTimes(1);
});
