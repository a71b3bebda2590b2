// A call that is cut at any byte, by either side, ends in exactly one outcome at the caller, and leaves nothing behind.
import { describe, expect, test } from 'vitest';
import type { ByteLink } from '../byte-link.ts';
import type { Requester, RequestHead } from '../message.ts';
import { cutInto, linkPair, type MemoryLink } from '../testing/link-pair.ts';
import { http1Client } from './client.ts';
import { http1Server } from './server.ts';
import { ReceivedRequest, ReceivedResponse, requestHead, turn } from './testing/drive.ts';

interface Workload {
  readonly head: Partial<RequestHead>;
  send(requester: Requester, answer: ReceivedResponse): void;
  /** Whether half of it cannot pass for the whole. */
  readonly isDelimited: boolean;
  /** What the far side does, beside sending back what comes. */
  began(request: ReceivedRequest): void;
}

const sized: Workload = {
  head: { method: 'POST', bodyBytes: 5 },
  isDelimited: true,
  send(requester) {
    requester.data(Buffer.from('hello'));
    requester.end([]);
  },
  began({ responder }) {
    responder.head({ status: 200, fields: ['x-a', 'b'], bodyBytes: 5 });
  },
};
const chunked: Workload = {
  head: { method: 'POST', bodyBytes: undefined },
  isDelimited: true,
  send(requester) {
    requester.data(Buffer.from('hel'));
    requester.data(Buffer.from('lo'));
    requester.end(['x-sum', '1']);
  },
  began({ responder }) {
    responder.informational(103, []);
    responder.head({ status: 200, fields: [], bodyBytes: undefined });
  },
};
const tunnel: Workload = {
  head: { upgrade: 'echo' },
  isDelimited: false,
  send(requester, answer) {
    const take = answer.head.bind(answer);
    answer.head = (head) => {
      take(head);
      requester.data(Buffer.from('hello'));
      requester.end([]);
    };
  },
  began({ responder }) {
    queueMicrotask(() => responder.head({ status: 101, fields: ['upgrade', 'echo'], bodyBytes: undefined }));
  },
};

/** The link, and a word after every byte that arrives on it. */
function counted(link: ByteLink, arrived: () => void): ByteLink {
  return {
    write: (bytes) => link.write(bytes),
    end: () => link.end(),
    pause: () => link.pause(),
    resume: () => link.resume(),
    destroy: () => link.destroy(),
    listen: (events) =>
      link.listen({
        data(chunk) {
          events.data(chunk);
          arrived();
        },
        drained: () => events.drained(),
        ended: () => events.ended(),
        closed: (error) => events.closed(error),
      }),
  };
}

type Cut = (near: MemoryLink, far: MemoryLink) => void;
const CUTS: Readonly<Record<string, Cut>> = {
  'the client resets': (near) => near.destroy(),
  'the client ends': (near) => near.end(),
  'the server resets': (_, far) => far.destroy(),
  'the server ends': (_, far) => far.end(),
};

/** Everything up to the cut behind the given byte, which may be the last or none, and what was heard then. */
async function callCutAt(place: number, { head, send, began }: Workload, cut: Cut) {
  const [near, far] = linkPair({ cut: cutInto([1]) });
  const requests: ReceivedRequest[] = [];
  let [bytes, closes] = [0, 0];
  const arrived = () => {
    if (++bytes === place) cut(near, far);
  };
  const server = http1Server(
    counted(far, arrived),
    (requested, responder) => {
      const request = new ReceivedRequest(requested, responder);
      requests.push(request);
      const { data, end } = { data: request.data.bind(request), end: request.end.bind(request) };
      request.data = (chunk) => {
        responder.data(chunk);
        return data(chunk);
      };
      request.end = (trailers) => {
        end(trailers);
        responder.end(trailers);
      };
      began(request);
      return request;
    },
    { elapsedMs: () => 0, closed: () => closes++ },
  );
  const client = http1Client(counted(near, arrived), { elapsedMs: () => 0, closed: () => closes++ });
  const answer = new ReceivedResponse();
  const requester = client.request(requestHead(head), answer);
  send(requester, answer);
  for (let quiet = 0, before = -1; quiet < 6; quiet = bytes === before ? quiet + 1 : 0) {
    before = bytes;
    await turn();
  }
  const heard = answer.outcomes.length;
  client.drain();
  server.drain();
  for (let i = 0; i < 12; i++) await turn();
  return { bytes, closes, answer, heard, requests, isGone: near.isClosed && far.isClosed, phase: server.phase, client };
}

describe.each([
  ['with a length', sized],
  ['in chunks', chunked],
  ['as a tunnel', tunnel],
])('a call %s', (_, workload) => {
  test.each(Object.entries(CUTS))('when %s', async (_name, cut) => {
    const whole = await callCutAt(-1, workload, cut);
    expect(whole.answer).toMatchObject({ body: 'hello', outcomes: ['end'] });
    for (let place = 1; place <= whole.bytes; place++) {
      const { closes, answer, heard, requests, isGone, phase, client } = await callCutAt(place, workload, cut);
      const at = `cut at byte ${place}`;
      expect(
        answer.outcomes.filter((outcome) => /^(end|abort)/.test(outcome)),
        at,
      ).toHaveLength(1);
      expect(heard, at).toBeGreaterThan(0);
      if (answer.outcomes[0] === 'end' && workload.isDelimited) expect(answer.body, at).toBe('hello');
      for (const { outcomes } of requests) {
        expect(outcomes.filter((outcome) => outcome !== 'end').length, at).toBeLessThan(2);
        expect(outcomes, at).not.toEqual([]);
      }
      expect({ closes, isGone, phase, isIdle: client.isIdle }, at).toEqual({
        ...{ closes: 2, isGone: true, phase: 'closed', isIdle: false },
      });
    }
  });
});
