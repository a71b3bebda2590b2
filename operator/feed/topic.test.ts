// Something that subscribers are told: made once for each change, and always with the versions of the moment.
import { expect, test } from 'vitest';
import { decodeFeedMessage, type FeedPart } from '../../api/proto/feed.ts';
import { must } from '../../kit/result.ts';
import { Topic } from './topic.ts';

/** Endpoints whose zone is what changes. */
function world() {
  const now = { zone: 'a', version: 1, compiled: 0 };
  const topic = new Topic({
    compile: (): FeedPart => {
      now.compiled += 1;
      const address = { address: '10.0.0.1', port: 1, ready: true, serving: true, terminating: false };
      const endpoint = { ...address, zone: now.zone, pod: 'web-1', labels: new Map() };
      const app = { appId: 'web', namespace: 'shop' };
      return { kind: 'endpoints', endpoints: { app, isClaimed: true, endpoints: [endpoint], version: now.version } };
    },
    stamp: () => ({ epoch: 1, versions: `${now.version}` }),
  });
  const told = () => {
    const { part } = must(decodeFeedMessage(topic.message()));
    return part?.kind === 'endpoints' ? [part.endpoints.endpoints[0]?.zone, part.endpoints.version] : [];
  };
  return { now, topic, told };
}

test('is compiled once for a change, however many are told of it', () => {
  const { now, topic, told } = world();
  topic.content();
  expect([told(), told()]).toEqual([
    ['a', 1],
    ['a', 1],
  ]);
  expect(now.compiled).toBe(1);

  Object.assign(now, { zone: 'b', version: 2 });
  topic.outdate();
  topic.content();
  expect(told()).toEqual(['b', 2]);
  expect(now.compiled).toBe(2);
});

test('is told with the versions of the moment, also where they moved after it was compiled', () => {
  const { now, topic, told } = world();
  topic.content();
  now.version = 2;
  expect(told()).toEqual(['a', 2]);
  now.version = 3;
  expect(told()).toEqual(['a', 3]);
});

test('is the same content as long as its bytes are the same', () => {
  const { now, topic } = world();
  const before = topic.content();
  now.version = 2;
  topic.outdate();
  expect(topic.content()).toBe(before);
  now.zone = 'b';
  topic.outdate();
  expect(topic.content()).not.toBe(before);
});
