// The messages between sidecars, against another implementation of protobuf that reads our .proto files.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import type { Headers } from '../headers.ts';
import type { ReplyHeadMessage, RequestHeadMessage, StreamMessage } from './peer.ts';
import {
  decodeReply,
  decodeRequest,
  decodeRequestFront,
  decodeUnaryReply,
  decodeUnaryRequest,
} from './peer-decoding.ts';
import { encodeReply, encodeRequest, encodeUnaryReply, encodeUnaryRequest } from './peer-encoding.ts';
import { ProtoWriter } from './protobuf.ts';
import { anyBytes, anyText, byteString, hostile, joined, oracleDecode, oracleEncode } from './testing-schema.ts';

const REQUEST = 'dapr.proto.internals.v1.InternalInvokeRequest';
const RESPONSE = 'dapr.proto.internals.v1.InternalInvokeResponse';
const REQUEST_STREAM = `${REQUEST}Stream`;
const RESPONSE_STREAM = `${RESPONSE}Stream`;
const VERBS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** Byte strings: any bytes, or only those that are UTF-8, which is all that the oracle has strings for. */
const ANY_BYTES = anyBytes.map((bytes) => bytes.toString('latin1'));
const UTF8_BYTES = anyText.map(byteString);

const name = fc.constantFrom('accept', 'x-a', 'x-b', 'set-cookie', 'constructor', 'content-type', 'x|~');
type Values = fc.Arbitrary<string>;

const headersOf = (values: Values): fc.Arbitrary<Headers> =>
  fc.array(fc.tuple(name, values)).map((fields) => fields.flat());

/** What is said of a body that a caller or an app by gRPC gave a type. */
const typed = (values: Values) => ({ dataTypeUrl: values.filter((url) => url !== '') });
const someText = anyText.filter((text) => text !== '' && text.isWellFormed());
/** In bytes, a google.protobuf.Any. */
const anyDetail = fc
  .record({ type_url: anyText, value: anyBytes })
  .map((any) => oracleEncode('google.protobuf.Any', any));
const REQUIRED_OF_REQUEST: { requiredKeys: ['verb', 'path', 'isCanonicalPath', 'query', 'headers'] } = {
  requiredKeys: ['verb', 'path', 'isCanonicalPath', 'query', 'headers'],
};

const requestHead = (values: Values): fc.Arbitrary<RequestHeadMessage> =>
  fc.record(
    {
      verb: fc.constantFrom(...VERBS, 'PROPFIND', 'M-SEARCH', 'NONE'),
      path: values.map((path) => `/${path.replace(/^\/+/, '')}`),
      isCanonicalPath: fc.boolean(),
      query: values,
      headers: headersOf(values),
      ...typed(values),
    },
    REQUIRED_OF_REQUEST,
  );

const replyHead = (values: Values): fc.Arbitrary<ReplyHeadMessage> => {
  const headers = headersOf(values);
  const ofHttp = { status: fc.integer({ min: 100, max: 999 }), headers, ...typed(values) };
  const ofGrpc = {
    ...ofHttp,
    status: fc.integer({ min: 0, max: 99 }),
    message: someText,
    details: fc.array(anyDetail, { minLength: 1, maxLength: 3 }),
  };
  const required = { requiredKeys: ['status', 'headers'] as ['status', 'headers'] };
  return fc.oneof(fc.record(ofHttp, required), fc.record(ofGrpc, required));
};

const piece = fc.oneof(
  fc.constant({ data: undefined, seq: 0 }),
  fc.record({ data: anyBytes, seq: fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat()) }),
);

function streamMessage<H>(head: fc.Arbitrary<H>, values: Values): fc.Arbitrary<StreamMessage<H>> {
  return fc
    .record({ head: fc.option(head, { nil: undefined }), piece, trailers: headersOf(values) })
    .map(({ head, piece, trailers }) => ({ head, ...piece, trailers }));
}

/** name → its values, in the order in which the names first came. */
function byName(headers: Headers): Map<string, string[]> {
  const grouped = new Map<string, string[]>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name = '', value = ''] = headers.slice(i, i + 2);
    grouped.set(name, [...(grouped.get(name) ?? []), value]);
  }
  return grouped;
}

/** What a map of headers keeps: the order of the values of each name. Content-Type travels apart, once, and comes first. */
function travelled(headers: Headers): Headers {
  const { contentType, others } = apart(headers);
  return [...(contentType === '' ? [] : ['content-type', contentType]), ...flat(others)];
}

function apart(headers: Headers): { contentType: string; others: Map<string, string[]> } {
  const others = byName(headers);
  const [contentType = ''] = others.get('content-type') ?? [];
  others.delete('content-type');
  return { contentType, others };
}

const flat = (grouped: Map<string, string[]>): Headers =>
  [...grouped].flatMap(([name, values]) => values.flatMap((value) => [name, value]));

const text = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8');

/** map<string, ListStringValue> as the oracle has it. */
function oracleMap(headers: Map<string, string[]>): Record<string, { values: string[] }> {
  return Object.fromEntries([...headers].map(([name, values]) => [name, { values: values.map(text) }]));
}

function oracleAny(typeUrl: string | undefined, body: Buffer | undefined): Record<string, unknown> | null {
  if (typeUrl === undefined && body === undefined) return null;
  return { type_url: text(typeUrl ?? ''), value: body ?? Buffer.alloc(0) };
}

function oracleRequest(head: RequestHeadMessage, body: Buffer | undefined): Record<string, unknown> {
  const { contentType, others } = apart(head.headers);
  const known = VERBS.includes(head.verb);
  return {
    ver: 'V1',
    metadata: oracleMap(others),
    message: {
      method: text(head.path.slice(1)),
      data: oracleAny(head.dataTypeUrl, body),
      content_type: text(contentType),
      http_extension: { verb: known ? head.verb : 'POST', querystring: text(head.query) },
    },
    actor: null,
    canonical_path: head.isCanonicalPath,
    verb_name: known ? '' : head.verb,
  };
}

function oracleReply(head: ReplyHeadMessage, body: Buffer | undefined): Record<string, unknown> {
  const { contentType, others } = apart(head.headers);
  return {
    status: {
      code: head.status,
      message: head.message ?? '',
      details: (head.details ?? []).map((any) => oracleDecode('google.protobuf.Any', any)),
    },
    headers: oracleMap(others),
    trailers: {},
    message: {
      data: oracleAny(head.dataTypeUrl, body),
      content_type: text(contentType),
    },
  };
}

/** A stream message as the oracle has it, around a head that it has already. */
function oracleStream(field: string, head: unknown, message: StreamMessage<unknown>): Record<string, unknown> {
  const { data, seq, trailers } = message;
  return {
    [field]: head ?? null,
    payload: data === undefined ? null : { data, seq },
    http_trailers: oracleMap(byName(trailers)),
  };
}

/** The oracle checks enums by number before it encodes, and takes no null for what is not there. */
function encodable(message: Record<string, unknown>): Record<string, unknown> {
  const given = Object.entries(message).filter(([, value]) => value !== null);
  return Object.fromEntries(
    given.map(([key, value]) => {
      if (key === 'ver') return [key, 1];
      if (key === 'verb') return [key, VERBS.indexOf(String(value)) + 1];
      const isMessage = typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
      return [key, isMessage ? encodable({ ...value }) : value];
    }),
  );
}

describe('unary messages', () => {
  test('of a request say to another implementation what they say to us', () => {
    fc.assert(
      fc.property(requestHead(UTF8_BYTES), anyBytes, (head, body) => {
        const expected = oracleRequest(head, body);
        expect(oracleDecode(REQUEST, encodeUnaryRequest(head, body))).toEqual(expected);
        const read = must(decodeUnaryRequest(oracleEncode(REQUEST, encodable(expected))));
        expect(read).toEqual({ head: { ...head, headers: travelled(head.headers) }, body });
      }),
    );
  });

  test('of a reply say to another implementation what they say to us', () => {
    fc.assert(
      fc.property(replyHead(UTF8_BYTES), anyBytes, (head, body) => {
        const expected = oracleReply(head, body);
        expect(oracleDecode(RESPONSE, encodeUnaryReply(head, body))).toEqual(expected);
        const read = must(decodeUnaryReply(oracleEncode(RESPONSE, encodable(expected))));
        expect(read).toEqual({ head: { ...head, headers: travelled(head.headers) }, body });
      }),
    );
  });

  test('keep every byte of path, query, header values and body, UTF-8 or not', () => {
    fc.assert(
      fc.property(requestHead(ANY_BYTES), replyHead(ANY_BYTES), anyBytes, (request, reply, body) => {
        const readRequest = must(decodeUnaryRequest(encodeUnaryRequest(request, body)));
        expect(readRequest).toEqual({ head: { ...request, headers: travelled(request.headers) }, body });
        const readReply = must(decodeUnaryReply(encodeUnaryReply(reply, body)));
        expect(readReply).toEqual({ head: { ...reply, headers: travelled(reply.headers) }, body });
      }),
    );
  });
});

describe('stream messages', () => {
  test('of a request say to another implementation what they say to us', () => {
    fc.assert(
      fc.property(streamMessage(requestHead(UTF8_BYTES), UTF8_BYTES), (message) => {
        const head = message.head && oracleRequest(message.head, undefined);
        const expected = oracleStream('request', head, message);
        expect(oracleDecode(REQUEST_STREAM, joined(encodeRequest(message)))).toEqual(expected);
        expect(must(decodeRequest(oracleEncode(REQUEST_STREAM, encodable(expected))))).toEqual(afterTheWire(message));
      }),
    );
  });

  test('of a reply say to another implementation what they say to us', () => {
    fc.assert(
      fc.property(streamMessage(replyHead(UTF8_BYTES), UTF8_BYTES), (message) => {
        const head = message.head && oracleReply(message.head, undefined);
        const expected = oracleStream('response', head, message);
        expect(oracleDecode(RESPONSE_STREAM, joined(encodeReply(message)))).toEqual(expected);
        expect(must(decodeReply(oracleEncode(RESPONSE_STREAM, encodable(expected))))).toEqual(afterTheWire(message));
      }),
    );
  });

  test('keep every byte, UTF-8 or not', () => {
    const request = streamMessage(requestHead(ANY_BYTES), ANY_BYTES);
    const reply = streamMessage(replyHead(ANY_BYTES), ANY_BYTES);
    fc.assert(
      fc.property(request, reply, (request, reply) => {
        expect(must(decodeRequest(joined(encodeRequest(request))))).toEqual(afterTheWire(request));
        expect(must(decodeReply(joined(encodeReply(reply))))).toEqual(afterTheWire(reply));
      }),
    );
  });

  test('tell an empty piece from none', () => {
    const message = { head: undefined, data: Buffer.alloc(0), seq: 3, trailers: [] };
    expect(must(decodeReply(joined(encodeReply(message))))).toEqual(message);
    expect(must(decodeReply(joined(encodeReply({ ...message, data: undefined, seq: 0 })))).data).toBeUndefined();
  });
});

/** The trailers are a map as well, but nothing is taken out of them. */
function afterTheWire<H extends { readonly headers: Headers }>(message: StreamMessage<H>): StreamMessage<H> {
  const { head, trailers } = message;
  return {
    ...message,
    head: head && { ...head, headers: travelled(head.headers) },
    trailers: flat(byName(trailers)),
  };
}

describe('a message of a Dapr sidecar', () => {
  test('has a decoded path, with a leading slash or without', () => {
    for (const method of ['orders/7', '/orders/7']) {
      const bytes = oracleEncode(REQUEST, { ver: 1, message: { method, http_extension: { verb: 1 } } });
      const { head, body } = must(decodeUnaryRequest(bytes));
      expect(head).toEqual({ verb: 'GET', path: '/orders/7', isCanonicalPath: false, query: '', headers: [] });
      expect(body).toHaveLength(0);
    }
  });

  test.each([
    ['no verb', {}, ''],
    ['the verb that is none', { http_extension: { verb: 0 } }, ''],
    ['a verb that is not in the contract', { http_extension: { verb: 10 } }, '?'],
  ])('with %s has none: nothing is guessed that could then be run', (_, message, verb) => {
    const bytes = oracleEncode(REQUEST, { ver: 1, message: { method: 'orders/7', ...message } });
    expect(must(decodeUnaryRequest(bytes)).head.verb).toBe(verb);
  });

  test('may have header names in any case, also those of object properties', () => {
    const writer = new ProtoWriter();
    for (const name of ['__proto__', 'Constructor']) {
      writer.message(2, (entry) => {
        entry.string(1, name);
        entry.message(2, (list) => list.string(1, 'x'));
      });
    }
    const { head } = must(decodeUnaryReply(writer.finish()));
    expect(head.headers).toEqual(['__proto__', 'x', 'constructor', 'x']);
  });

  test('names its content type apart, and that one counts', () => {
    const headers = { 'content-type': { values: ['text/plain'] }, 'x-a': { values: ['1'] } };
    const named = oracleEncode(RESPONSE, { headers, message: { content_type: 'text/html' } });
    expect(must(decodeUnaryReply(named)).head.headers).toEqual(['content-type', 'text/html', 'x-a', '1']);
    const unnamed = oracleEncode(RESPONSE, { headers });
    expect(must(decodeUnaryReply(unnamed)).head.headers).toEqual(['content-type', 'text/plain', 'x-a', '1']);
  });

  test('may be empty', () => {
    const nothing = Buffer.alloc(0);
    expect(must(decodeRequest(nothing))).toEqual({ head: undefined, data: undefined, seq: 0, trailers: [] });
    expect(must(decodeUnaryReply(nothing))).toEqual({ head: { status: 0, headers: [] }, body: nothing });
  });

  test('may have fields that we do not know, at every level', () => {
    const head = { verb: 'GET', path: '/a', isCanonicalPath: true, query: 'q', headers: ['x-a', '1'] };
    const known = encodeUnaryRequest(head, Buffer.from('body'));
    const unknown = new ProtoWriter();
    unknown.uint(55, 7);
    unknown.message(4, (actor) => actor.string(1, 'cart'));
    unknown.message(2000, (later) => later.uint(1, 1));
    const bytes = Buffer.concat([unknown.finish(), known, unknown.finish()]);
    expect(must(decodeUnaryRequest(bytes))).toEqual({ head, body: Buffer.from('body') });
    const stream = joined(encodeRequest({ head, data: Buffer.from('x'), seq: 0, trailers: [] }));
    expect(must(decodeRequest(Buffer.concat([stream, unknown.finish()])))).toEqual(must(decodeRequest(stream)));
  });
});

describe('hostile bytes end in a message or in an error', () => {
  const requests = requestHead(ANY_BYTES).chain((head) => anyBytes.map((body) => encodeUnaryRequest(head, body)));
  const replies = replyHead(ANY_BYTES).chain((head) => anyBytes.map((body) => encodeUnaryReply(head, body)));
  const requestStreams = streamMessage(requestHead(ANY_BYTES), ANY_BYTES).map((message) =>
    joined(encodeRequest(message)),
  );
  const replyStreams = streamMessage(replyHead(ANY_BYTES), ANY_BYTES).map((message) => joined(encodeReply(message)));

  test.each([
    ['unary requests', decodeUnaryRequest, requests],
    ['unary replies', decodeUnaryReply, replies],
    ['stream requests', decodeRequest, requestStreams],
    ['stream replies', decodeReply, replyStreams],
  ])('%s', (_, decode, real) => {
    fc.assert(
      fc.property(hostile(real), (bytes) => {
        const read = decode(bytes);
        if (!read.ok) expect(read.error).not.toBe('');
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['the head', [0x0a, 0x01, 0x08]],
    ['the piece', [0x12, 0x02, 0x0a, 0x05]],
    ['a trailer', [0xa2, 0x06, 0x01, 0x0a]],
    ['a list of trailer values', [0xa2, 0x06, 0x03, 0x12, 0x01, 0x0a]],
    ['a header in the head', [0x0a, 0x03, 0x12, 0x01, 0x0a]],
  ])('a message in which %s is cut short is an error', (_, bytes) => {
    expect(decodeRequest(Buffer.from(bytes)).ok).toBe(false);
  });
});

test('a message of more header fields than anybody sends is not read to its end', () => {
  const fields = (count: number) => Array.from({ length: count }, (_, i) => ['x', String(i)]).flat();
  const bytes = (count: number) =>
    joined(encodeReply({ head: { status: 200, headers: fields(count) }, data: undefined, seq: 0, trailers: [] }));
  expect(decodeReply(bytes(900)).ok).toBe(true);
  expect(decodeReply(bytes(1100)).ok).toBe(false);
});

test('a head that is larger than any may be is refused, whatever is in it: its strings would keep all of it in memory', () => {
  const head = { verb: 'GET', path: '/', isCanonicalPath: true, query: '', headers: ['x-a', '1'] };
  const withUnknown = (bytes: number) => {
    const message = new ProtoWriter();
    message.message(1, (inner) => {
      inner.raw(encodeUnaryRequest(head, Buffer.alloc(0)));
      inner.bytes(999, Buffer.alloc(bytes));
    });
    message.message(2, (payload) => payload.bytes(1, Buffer.alloc(100)));
    return message.finish();
  };
  const front = (message: Buffer) => decodeRequestFront(message.subarray(0, -50), message.length);
  const [large, tooLarge] = [withUnknown(100_000), withUnknown(200_000)];
  expect(must(decodeRequest(large)).head).toEqual(head);
  expect(front(large)?.head).toEqual(head);
  expect(decodeRequest(tooLarge)).toMatchObject({ ok: false, error: expect.stringContaining('head is larger') });
  expect(front(tooLarge)).toBeUndefined();
});
