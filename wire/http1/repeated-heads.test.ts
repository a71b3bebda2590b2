// What a head says does not depend on the heads that the connection has carried before it, though much of it is known from them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { driveClient, driveEcho, turn } from './testing/drive.ts';

const LINES = [
  ...['host: one', 'Host: one', 'host: two', 'x-a: 1', 'x-a: 2', 'x-a: 1 ', 'X-a: 1', 'x-a:', 'x-b: 1', 'x-ab: 1'],
  ...['accept: */*', 'cookie: a=1', 'cookie: b=2', 'connection: keep-alive', 'connection: close', 'connection: x-a'],
  ...['content-length: 0', 'content-length: 00', 'transfer-encoding: identity', 'expect: 100-continue', 'upgrade: b'],
  ...['keep-alive: timeout=5', 'keep-alive: timeout=9', `x-long: ${'l'.repeat(3000)}`],
];
const WRONG = ['x-b : 1', ' folded', 'x-a: 1\nx-b: 2', 'x-a: \x01', ': 1', 'transfer-encoding: chunked\t'];

const line = fc.oneof({ weight: 100, arbitrary: fc.constantFrom(...LINES) }, fc.constantFrom(...WRONG));
const section = fc
  .tuple(fc.constantFrom('host: one', 'host: two'), fc.array(line, { maxLength: 5 }))
  .map(([host, lines]) => [host, ...lines].map((text) => `${text}\r\n`).join(''));
/** A few sections, and for each one that is as long: each many times, in a row, and in turns with the others. */
const sections = fc
  .tuple(
    fc.array(section, { minLength: 1, maxLength: 3 }).map((few) => [...few, ...few.map(anotherAsLong)]),
    fc.array(fc.tuple(fc.nat(5), fc.constantFrom(1, 2, 3, 150)), { minLength: 2 }),
  )
  .map(([few, turns]) => turns.flatMap(([which, times]) => Array<string>(times).fill(few[which % few.length] ?? '')));

function anotherAsLong(fields: string): string {
  return fields.replace(': one', ': two').replaceAll(': 1', ': 2').replaceAll('x-b', 'x-c');
}

test('a request is read as it would be on a connection of its own', () => {
  fc.assert(
    fc.property(sections, (all) => {
      const kept = driveEcho();
      for (const fields of all) {
        const alone = driveEcho();
        const head = `GET / HTTP/1.1\r\n${fields}\r\n`;
        const before = kept.requests.length;
        kept.link.give(head);
        alone.link.give(head);
        expect(kept.requests.slice(before).map((request) => request.head)).toEqual(
          alone.requests.map(({ head }) => head),
        );
        expect(kept.offences).toEqual(alone.offences);
        expect(kept.connection.phase).toBe(alone.connection.phase);
        if (kept.connection.phase !== 'idle') return;
      }
    }),
    { numRuns: 25 },
  );
});

test('an answer is read as it would be on a connection of its own', () => {
  fc.assert(
    fc.property(sections, (all) => {
      const kept = driveClient();
      for (const fields of all) {
        const alone = driveClient();
        const head = `HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${fields}\r\n`;
        const answers = [kept, alone].map(({ link, send }) => {
          const { answer, requester } = send();
          requester.end([]);
          link.give(head);
          return answer;
        });
        expect(answers[0]?.response).toEqual(answers[1]?.response);
        expect(answers[0]?.outcomes).toEqual(answers[1]?.outcomes);
        expect(kept.offences).toEqual(alone.offences);
        expect(kept.connection.isIdle).toBe(alone.connection.isIdle);
        if (!kept.connection.isIdle) return;
        expect(kept.connection.keepAliveTimeoutMs).toBe(alone.connection.keepAliveTimeoutMs);
      }
    }),
    { numRuns: 25 },
  );
});

test('a field is written with the value that it has now', async () => {
  const name = fc.constantFrom('x-often', 'x-other', 'authorization', `x-${'long'.repeat(20)}`);
  const value = fc.constantFrom('', 'a', 'b', ' a', 'a\r\nb: c', 'l'.repeat(100));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, value, fc.constantFrom(1, 40))), async (pairs) => {
      for (const [field, said, times] of pairs) {
        for (let turns = 0; turns < times; turns++) {
          const { link, send } = driveClient();
          const { requester } = send({ fields: [field, said] });
          requester.end([]);
          await turn();
          const isGood = !said.includes('\r') && !said.startsWith(' ');
          expect(link.written).toBe(isGood ? `GET / HTTP/1.1\r\nhost: app\r\n${field}: ${said}\r\n\r\n` : '');
        }
      }
    }),
    { numRuns: 10 },
  );
});
