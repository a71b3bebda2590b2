// Metrics as Prometheus reads them: names, types, labels, buckets, and a bound on how many series there can be.
import { describe, expect, test } from 'vitest';
import { Histogram, Numbers, Reading, renderMetrics } from './metrics.ts';

test('counters and gauges render with their help, type and labels', () => {
  const calls = new Numbers('counter', 'calls_total', 'Calls.', ['peer', 'status']);
  const web = calls.slot('web', '200');
  calls.add(web, 2);
  calls.add(calls.slot('web', '200'), 1);
  calls.add(calls.slot('orders', '503'), 0.5);
  const up = new Numbers('gauge', 'up', 'Whether.');
  up.set(up.slot(), 1);
  const limit = new Numbers('gauge', 'limit', 'How many.');
  limit.set(limit.slot(), Number.POSITIVE_INFINITY);
  expect(renderMetrics([calls, up, limit])).toBe(
    [
      '# HELP calls_total Calls.',
      '# TYPE calls_total counter',
      'calls_total{peer="web",status="200"} 3',
      'calls_total{peer="orders",status="503"} 0.5',
      '# HELP up Whether.',
      '# TYPE up gauge',
      'up 1',
      '# HELP limit How many.',
      '# TYPE limit gauge',
      'limit +Inf',
      '',
    ].join('\n'),
  );
});

test('a histogram counts each value in every bucket that holds it', () => {
  const latency = new Histogram('latency_seconds', 'Time.', ['peer'], [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) latency.observe(latency.slot('web'), value);
  expect(renderMetrics([latency])).toBe(
    [
      '# HELP latency_seconds Time.',
      '# TYPE latency_seconds histogram',
      'latency_seconds_bucket{peer="web",le="0.1"} 2',
      'latency_seconds_bucket{peer="web",le="1"} 3',
      'latency_seconds_bucket{peer="web",le="+Inf"} 4',
      'latency_seconds_sum{peer="web"} 7.65',
      'latency_seconds_count{peer="web"} 4',
      '',
    ].join('\n'),
  );
});

test('values survive the growth of their table', () => {
  const calls = new Numbers('counter', 'calls_total', 'Calls.', ['peer']);
  const latency = new Histogram('latency_seconds', 'Time.', ['peer'], [1]);
  for (let i = 0; i < 100; i++) {
    calls.add(calls.slot(`app-${i}`), i);
    latency.observe(latency.slot(`app-${i}`), i);
  }
  const text = renderMetrics([calls, latency]);
  for (const i of [0, 7, 8, 99]) {
    expect(text).toContain(`calls_total{peer="app-${i}"} ${i}\n`);
    expect(text).toContain(`latency_seconds_sum{peer="app-${i}"} ${i}\n`);
  }
});

test('beyond the bound new label sets are counted together', () => {
  const calls = new Numbers('counter', 'calls_total', 'Calls.', ['peer']);
  for (let i = 0; i < 5000; i++) calls.add(calls.slot(`app-${i}`), 1);
  const lines = renderMetrics([calls]).trim().split('\n');
  expect(lines).toHaveLength(2 + 2001);
  expect(lines.at(-1)).toBe('calls_total{peer="other"} 3000');
});

test('a label value cannot end its quotes or its line', () => {
  const calls = new Numbers('counter', 'calls_total', 'Calls.', ['peer']);
  calls.add(calls.slot('a"b\\c\nd'), 1);
  expect(renderMetrics([calls])).toContain('calls_total{peer="a\\"b\\\\c\\nd"} 1\n');
});

describe('a reading', () => {
  const labels = ['peer', 'state'];

  test('is taken when somebody asks; numbers of equal labels are joined, and what is no longer told is gone', () => {
    let read = [
      ['web', 'open', 1],
      ['web', 'open', 2],
      ['web', 'closed', 5],
    ] as readonly (readonly [string, string, number])[];
    const put = (join?: typeof Math.min) =>
      new Reading({ name: 'breakers', help: 'B.', labels, ...(join && { join }) }, (tell) => {
        for (const [peer, state, value] of read) tell(value, peer, state);
      });
    const [sums, least] = [put(), put(Math.min)];
    const head = '# HELP breakers B.\n# TYPE breakers gauge\n';
    const closed = 'breakers{peer="web",state="closed"} 5\n';
    expect(renderMetrics([sums])).toBe(`${head}breakers{peer="web",state="open"} 3\n${closed}`);
    expect(renderMetrics([least])).toBe(`${head}breakers{peer="web",state="open"} 1\n${closed}`);
    read = [];
    expect(renderMetrics([sums])).toBe(head);
  });

  test('of more label sets than there may be is told together, by its last label where that is one of a few', () => {
    const many = new Reading({ name: 'breakers', help: 'B.', labels, isLastKept: true }, (tell) => {
      for (let i = 0; i < 3000; i++) tell(1, `app-${i}`, i % 2 === 0 ? 'open' : 'closed');
    });
    const lines = renderMetrics([many]).trim().split('\n');
    expect(lines.slice(-2)).toEqual([
      'breakers{peer="other",state="open"} 500',
      'breakers{peer="other",state="closed"} 500',
    ]);
    expect(lines).toHaveLength(2 + 2000 + 2);
  });
});
