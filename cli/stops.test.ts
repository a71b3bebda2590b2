// Signals that mean stop: which are passed on, how often, and when they turn into a kill.
import { expect, test } from 'vitest';
import { systemClock } from '../kit/clock.ts';
import type { StopSignal } from './host.ts';
import { collectStops, type PassedOn } from './stops.ts';

function scene() {
  let nowMs = 0;
  let send: (signal: StopSignal) => void = () => undefined;
  const stops = collectStops({
    clock: { ...systemClock, elapsed: () => nowMs },
    onSignal: (listener) => {
      send = listener;
      return () => undefined;
    },
  });
  const got: PassedOn[] = [];
  return {
    stops,
    got,
    send: (signal: StopSignal) => send(signal),
    listen: () => stops.passOnTo((signal) => got.push(signal)),
    wait: (ms: number) => (nowMs += ms),
  };
}

test('each signal is passed on once, in the order in which they came', () => {
  const { got, send, listen, wait } = scene();
  listen();
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    send(signal);
    wait(10_000);
  }
  expect(got).toEqual(['SIGHUP', 'SIGTERM', 'SIGINT']);
});

test('a Ctrl-C that arrives twice is one, a second one kills', () => {
  const { got, send, listen, wait } = scene();
  listen();
  send('SIGINT');
  wait(100);
  send('SIGINT');
  expect(got).toEqual(['SIGINT']);
  wait(1000);
  send('SIGINT');
  expect(got).toEqual(['SIGINT', 'SIGKILL']);
});

test('a signal that came before anybody listened is not lost', async () => {
  const { stops, got, send, listen } = scene();
  send('SIGTERM');
  expect(await stops.first).toBe('SIGTERM');
  listen();
  expect(got).toEqual(['SIGTERM']);
});
