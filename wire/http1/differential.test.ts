// Beside node:http on bytes that are nearly HTTP: what it refuses, ours refuses; what both take, both read alike. And in
// which pieces the bytes come changes nothing.
import { METHODS } from 'node:http';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../kit/testing/runs.ts';
import { cutAt } from '../testing/link-pair.ts';
import { type DrivenServer, driveClient, driveServer, type ReceivedRequest } from './testing/drive.ts';
import { requestBytes, responseBytes } from './testing/mutants.ts';
import { nodeReadsRequests, nodeReadsResponse } from './testing/node-oracle.ts';

const RUNS = 1500;

/** Fields that end at the connection, and are not compared; and what Connection names. */
const OURS = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'expect'];

function compared(fields: readonly string[], all: readonly string[]): readonly string[] {
  const named = all.flatMap((name, i) => (i % 2 === 0 && name === 'connection' ? (all[i + 1] ?? '').split(',') : []));
  const left = new Set([...OURS, ...named.map((name) => name.trim().toLowerCase())]);
  return fields.filter((_, i) => !left.has(fields[i - (i % 2)] ?? ''));
}

/** Answers each request as soon as it is whole, also one that asks for a tunnel. */
function ourServer(): DrivenServer {
  return driveServer({
    onHead: (request) => {
      if (request.head.upgrade !== undefined || request.head.method === 'CONNECT') request.answer('', 404);
    },
    onEnd: (request) => request.answer(''),
  });
}

function asksForUpgrade(fields: readonly string[]): boolean {
  const has = (name: string, value: RegExp) =>
    fields.some((text, i) => text === name && value.test(fields[i + 1] ?? ''));
  return has('upgrade', /./) && has('connection', /upgrade/i);
}

const isWhole = ({ head, outcomes }: ReceivedRequest) => outcomes[0] === 'end' || head.upgrade !== undefined;

test('no request is taken that node:http refuses, and both read the same', async () => {
  let [both, refused] = [0, 0];
  await fc.assert(
    fc.asyncProperty(requestBytes, async (bytes) => {
      const { link, requests } = ourServer();
      link.give(bytes);
      const theirs = await nodeReadsRequests(bytes);
      for (const [i, ours] of requests.entries()) {
        // Any token is a method here, and what comes behind an unknown one is past their parser.
        if (!METHODS.includes(ours.head.method) || ours.head.method === 'CONNECT') return;
        if (!isWhole(ours)) {
          refused++;
          return;
        }
        const their = theirs[i];
        if (their === undefined) throw new Error('taken here, refused there');
        expect({ method: ours.head.method, target: ours.head.target, body: ours.body }).toEqual({
          method: their.method,
          target: their.target,
          body: their.body,
        });
        expect(compared(ours.head.fields, their.fields)).toEqual(compared(their.fields, their.fields));
        expect(ours.trailers ?? []).toEqual(their.trailers);
        both++;
        // Whether it switches or not, they take what follows for the other protocol's.
        if (asksForUpgrade(their.fields)) return;
      }
      if (requests.length < theirs.length) refused++;
    }),
    runs(RUNS),
  );
  // The two have agreed on something, and not on everything.
  expect(both).toBeGreaterThan(RUNS / 5);
  expect(refused).toBeGreaterThan(RUNS / 50);
});

test('no answer is taken that node:http refuses, and both read the same', async () => {
  let both = 0;
  await fc.assert(
    fc.asyncProperty(responseBytes, fc.constantFrom('GET', 'GET', 'HEAD'), async (bytes, method) => {
      const { link, send } = driveClient();
      const { answer } = send({ method });
      link.give(bytes);
      link.events?.ended();
      const their = await nodeReadsResponse(bytes, method);
      if (answer.outcomes[0] !== 'end') return;
      if (their === undefined) throw new Error('taken here, refused there');
      expect({ status: answer.response?.status, body: answer.body }).toEqual({
        status: their.status,
        body: their.body,
      });
      expect(compared(answer.response?.fields ?? [], their.fields)).toEqual(compared(their.fields, their.fields));
      expect(answer.trailers).toEqual(their.trailers);
      both++;
    }),
    runs(RUNS),
  );
  expect(both).toBeGreaterThan(RUNS / 5);
});

function requestsIn(pieces: readonly Buffer[]) {
  const { link, requests, offences, connection } = ourServer();
  link.give(...pieces);
  return {
    requests: requests.map(({ head, body, trailers, outcomes }) => ({ head, body, trailers, outcomes })),
    // Which rule is found broken first may depend on where the bytes were cut; whether one is may not.
    offences: offences.map(({ kind }) => kind),
    phase: connection.phase,
  };
}

function answerIn(pieces: readonly Buffer[]) {
  const { link, send, offences, connection } = driveClient();
  const { answer } = send();
  // The next request would be sent when an answer is whole, so what comes behind it is of no interest.
  for (const piece of pieces) if (answer.outcomes.length === 0) link.give(piece);
  const { response, body, trailers, outcomes, informationals } = answer;
  const kinds = offences.filter(({ reason }) => reason !== 'unasked-answer').map(({ kind }) => kind);
  return {
    response,
    body,
    trailers,
    outcomes,
    informationals,
    kinds,
    isIdle: connection.isIdle || outcomes[0] === 'end',
  };
}

test('in which pieces requests come changes nothing', () => {
  fc.assert(
    fc.property(requestBytes, fc.array(fc.nat(), { maxLength: 8 }), (bytes, places) => {
      const whole = requestsIn([bytes]);
      expect(requestsIn(cutAt(bytes, places))).toEqual(whole);
      expect(requestsIn([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
    }),
    runs(700),
  );
});

test('in which pieces an answer comes changes nothing', () => {
  fc.assert(
    fc.property(responseBytes, fc.array(fc.nat(), { maxLength: 8 }), (bytes, places) => {
      const whole = answerIn([bytes]);
      expect(answerIn(cutAt(bytes, places))).toEqual(whole);
      expect(answerIn([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
    }),
    runs(700),
  );
});

test('random bytes are refused or wait for more, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (pieces) => {
      const server = ourServer();
      server.link.give(...pieces.map((piece) => Buffer.from(piece)));
      const { link, send } = driveClient();
      send();
      link.give(...pieces.map((piece) => Buffer.from(piece)));
    }),
    runs(300),
  );
});
