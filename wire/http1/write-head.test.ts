// What is written is read back as it was meant, by ours and by node:http, or it is not written at all.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../kit/testing/runs.ts';
import { driveClient, driveEcho, driveServer, requestHead, turn } from './testing/drive.ts';
import { nodeReadsRequests, nodeReadsResponse } from './testing/node-oracle.ts';

const byte = fc.integer({ min: 0, max: 0x17f }).map((code) => String.fromCharCode(code));
const anything = fc.string({ unit: byte, maxLength: 12 });
const name = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .string({ unit: fc.constantFrom(...'abc-_019!'), minLength: 1, maxLength: 8 })
      .map((text) => `x${text}`),
  },
  { weight: 1, arbitrary: anything },
);
const value = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.string({ unit: fc.constantFrom(...'aB, :;"=\t\xe9\xff'), maxLength: 12 }).map((text) => text.trim()),
  },
  { weight: 1, arbitrary: anything },
);
const fields = fc.array(fc.tuple(name, value), { maxLength: 4 }).map((pairs) => pairs.flat());
const target = fc.oneof(
  fc.webPath().map((path) => `/${path.replace(/^\/+/, '')}`),
  anything,
);
const body = fc.tuple(fc.string({ maxLength: 20 }), fc.boolean());

const lowerPairs = (flat: readonly string[], left: readonly string[]) =>
  flat.filter((_, i) => !left.includes(flat[i - (i % 2)] ?? ''));

test('a request that is written is the same request to whoever reads it', async () => {
  let written = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('GET', 'POST', 'PUT'), target, fields, body, fields, async (...given) => {
      const [method, path, list, [text, isChunked], trailers] = given;
      const { link, send } = driveClient();
      const bytes = Buffer.from(text);
      const head = requestHead({ method, target: path, fields: list, bodyBytes: isChunked ? undefined : bytes.length });
      const { requester } = send(head);
      requester.data(bytes);
      requester.end(trailers);
      await turn();
      const sent = Buffer.from(link.written, 'latin1');
      if (sent.length === 0) return;
      const { link: far, requests } = driveEcho();
      far.give(sent);
      const theirs = await nodeReadsRequests(sent);
      // One request or none: nothing in it can make two.
      expect(requests.length).toBeLessThan(2);
      if (requests[0]?.outcomes[0] !== 'end') return;
      const [ours] = requests;
      expect(theirs).toHaveLength(1);
      expect(ours?.head).toMatchObject({ method, target: path });
      expect(ours?.body).toBe(bytes.toString('latin1'));
      expect(lowerPairs(ours?.head.fields ?? [], ['host', 'content-length'])).toEqual(list);
      expect(ours?.trailers).toEqual(isChunked ? trailers : []);
      expect(theirs[0]).toMatchObject({ method, target: path, body: bytes.toString('latin1') });
      written++;
    }),
    runs(400),
  );
  expect(written).toBeGreaterThan(40);
});

test('an answer that is written is the same answer to whoever reads it', async () => {
  let written = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 199, max: 600 }), fields, body, async (status, list, [text, isChunked]) => {
      const bytes = Buffer.from(text);
      const { link } = driveServerWith(status, list, bytes, isChunked);
      await turn();
      const sent = Buffer.from(link.written, 'latin1');
      if (sent.length === 0 || link.isDestroyed) return;
      const near = driveClient();
      const { answer } = near.send();
      near.link.give(sent);
      const hasBody = status !== 204 && status !== 304;
      expect(answer.outcomes).toEqual(['end']);
      expect(near.connection.isIdle).toBe(true);
      expect(answer.body).toBe(hasBody ? bytes.toString('latin1') : '');
      expect(lowerPairs(answer.response?.fields ?? [], ['content-length'])).toEqual(list);
      expect(await nodeReadsResponse(sent, 'GET')).toMatchObject({ status, body: answer.body });
      written++;
    }),
    runs(400),
  );
  expect(written).toBeGreaterThan(40);
});

function driveServerWith(status: number, list: readonly string[], bytes: Buffer, isChunked: boolean) {
  const driven = driveServer({
    onEnd({ responder }) {
      responder.head({ status, fields: list, bodyBytes: isChunked ? undefined : bytes.length });
      responder.data(bytes);
      responder.end([]);
    },
  });
  driven.link.give('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  return driven;
}
