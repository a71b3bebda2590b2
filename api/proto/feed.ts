// The messages between a sidecar and the operator's feed (feed.proto), to bytes and back.
import { err, ok, type Result } from '../../kit/result.ts';
import { type AuditDenials, FEED_AUDITS_MAX, readAuditDenials, writeAuditDenials } from './feed-audits.ts';
import { allBytes, lastBytes, lastNumber, lastUtf8, type ProtoField, ProtoWriter, readFields } from './protobuf.ts';

/** The gRPC path of the one method. */
export const FEED_PATH = '/invoke.v1.Feed/Subscribe';

/** The most that either end takes in one message. What a sidecar sends is far smaller. */
export const FEED_MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** Apps whose endpoints one sidecar may ask for. */
export const FEED_INTEREST_MAX = 1000;

/** What the sidecar says. All parts may come in one message; the first message has a hello. */
export interface FeedRequest {
  readonly hello?: FeedHello;
  /** Replaces what was wanted before. */
  readonly interest?: readonly FeedApp[];
  /** Adds to what was reported before. */
  readonly audits?: readonly AuditDenials[];
}

export interface FeedHello {
  /** 0 without a config. */
  readonly epoch: number;
  readonly versions: readonly KindVersion[];
  readonly sidecarVersion: string;
}

export interface KindVersion {
  readonly kind: string;
  readonly version: number;
}

/** As it was sent: neither end believes that these are names before it has looked. */
export interface FeedApp {
  readonly appId: string;
  readonly namespace: string;
}

export interface FeedMessage {
  readonly epoch: number;
  /** Undefined for a part that this version does not know. */
  readonly part: FeedPart | undefined;
}

export type FeedPart =
  | { readonly kind: 'config'; readonly config: FeedConfigMessage }
  | { readonly kind: 'endpoints'; readonly endpoints: FeedEndpoints };

export interface FeedConfigMessage {
  readonly versions: readonly KindVersion[];
  /** PEM. */
  readonly trustAnchors: Buffer;
  readonly resources: readonly FeedResource[];
  /** Other namespaces that may not call the app. */
  readonly barredNamespaces: readonly string[];
  /** Where neither an AccessPolicy nor the namespace says anything. */
  readonly defaultAccess: 'allow' | 'deny';
}

export interface FeedResource {
  readonly kind: string;
  /** Empty for what belongs to the whole cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** Epoch milliseconds. */
  readonly createdMs: number;
  /** JSON. */
  readonly spec: Buffer;
}

export interface FeedEndpoints {
  readonly app: FeedApp;
  readonly isClaimed: boolean;
  readonly endpoints: readonly FeedEndpoint[];
  readonly version: number;
}

export interface FeedEndpoint {
  readonly address: string;
  readonly port: number;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zone: string;
  readonly pod: string;
  readonly labels: ReadonlyMap<string, string>;
}

export function encodeFeedRequest({ hello, interest, audits = [] }: FeedRequest): Buffer {
  const writer = new ProtoWriter();
  if (hello !== undefined) writer.message(1, (inner) => writeHello(inner, hello));
  if (interest !== undefined) {
    writer.message(2, (inner) => {
      for (const app of interest) inner.message(1, (one) => writeApp(one, app));
    });
  }
  for (const denials of audits) writer.message(3, (inner) => writeAuditDenials(inner, denials));
  return writer.finish();
}

export function decodeFeedRequest(bytes: Buffer): Result<FeedRequest> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const hello = readOptional(fields.value, 1, readHello);
  if (!hello.ok) return hello;
  const interest = readOptional(fields.value, 2, readInterest);
  if (!interest.ok) return interest;
  const audits = readEach(fields.value, 3, readAuditDenials, FEED_AUDITS_MAX);
  if (!audits.ok) return audits;
  return ok({
    ...(hello.value === undefined ? {} : { hello: hello.value }),
    ...(interest.value === undefined ? {} : { interest: interest.value }),
    ...(audits.value.length === 0 ? {} : { audits: audits.value }),
  });
}

export function encodeFeedMessage({ epoch, part }: FeedMessage): Buffer {
  const writer = new ProtoWriter(4096);
  writer.uint(1, epoch);
  if (part?.kind === 'config') writer.bytes(2, encodeFeedConfig(part.config));
  if (part?.kind === 'endpoints') writer.bytes(3, encodeFeedEndpoints(part.endpoints));
  return writer.finish();
}

export function decodeFeedMessage(bytes: Buffer): Result<FeedMessage> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const part = readPart(fields.value);
  return part.ok ? ok({ epoch: lastNumber(fields.value, 1), part: part.value }) : part;
}

export function encodeFeedConfig(config: FeedConfigMessage): Buffer {
  const { versions, trustAnchors, resources, barredNamespaces, defaultAccess } = config;
  const writer = new ProtoWriter(4096);
  for (const version of versions) writer.message(1, (inner) => writeVersion(inner, version));
  writer.bytes(2, trustAnchors);
  for (const resource of resources) writer.message(3, (inner) => writeResource(inner, resource));
  for (const namespace of barredNamespaces) writer.utf8(4, namespace);
  writer.bool(5, defaultAccess === 'deny');
  return writer.finish();
}

export function encodeFeedEndpoints({ app, isClaimed, endpoints, version }: FeedEndpoints): Buffer {
  const writer = new ProtoWriter(4096);
  writer.message(1, (inner) => writeApp(inner, app));
  writer.bool(2, isClaimed);
  for (const endpoint of endpoints) writer.message(3, (inner) => writeEndpoint(inner, endpoint));
  writer.uint(4, version);
  return writer.finish();
}

function writeHello(writer: ProtoWriter, { epoch, versions, sidecarVersion }: FeedHello): void {
  writer.uint(1, epoch);
  for (const version of versions) writer.message(2, (inner) => writeVersion(inner, version));
  writer.utf8(3, sidecarVersion);
}

function writeVersion(writer: ProtoWriter, { kind, version }: KindVersion): void {
  writer.utf8(1, kind);
  writer.uint(2, version);
}

function writeApp(writer: ProtoWriter, { appId, namespace }: FeedApp): void {
  writer.utf8(1, appId);
  writer.utf8(2, namespace);
}

function writeResource(writer: ProtoWriter, resource: FeedResource): void {
  writer.utf8(1, resource.kind);
  writer.utf8(2, resource.namespace);
  writer.utf8(3, resource.name);
  writer.uint(4, resource.generation);
  writer.uint(5, resource.createdMs);
  writer.bytes(6, resource.spec);
}

function writeEndpoint(writer: ProtoWriter, endpoint: FeedEndpoint): void {
  writer.utf8(1, endpoint.address);
  writer.uint(2, endpoint.port);
  writer.bool(3, endpoint.ready);
  writer.bool(4, endpoint.serving);
  writer.bool(5, endpoint.terminating);
  writer.utf8(6, endpoint.zone);
  writer.utf8(7, endpoint.pod);
  for (const [key, value] of endpoint.labels) {
    writer.message(8, (entry) => {
      entry.utf8(1, key);
      entry.utf8(2, value);
    });
  }
}

/** Of a oneof, the part that comes last counts. */
function readPart(fields: readonly ProtoField[]): Result<FeedPart | undefined> {
  const last = fields.findLast(({ number, kind }) => kind === 'bytes' && (number === 2 || number === 3));
  if (last?.kind !== 'bytes') return ok(undefined);
  if (last.number === 2) {
    const config = nested(last.value, readConfig);
    return config.ok ? ok({ kind: 'config', config: config.value }) : config;
  }
  const endpoints = nested(last.value, readEndpoints);
  return endpoints.ok ? ok({ kind: 'endpoints', endpoints: endpoints.value }) : endpoints;
}

function readHello(fields: readonly ProtoField[]): Result<FeedHello> {
  const versions = readEach(fields, 2, readVersion);
  if (!versions.ok) return versions;
  return ok({ epoch: lastNumber(fields, 1), versions: versions.value, sidecarVersion: lastUtf8(fields, 3) });
}

/** One more than may be wanted is enough to be refused. */
function readInterest(fields: readonly ProtoField[]): Result<readonly FeedApp[]> {
  return readEach(fields, 1, readApp, FEED_INTEREST_MAX + 1);
}

function readVersion(fields: readonly ProtoField[]): Result<KindVersion> {
  return ok({ kind: lastUtf8(fields, 1), version: lastNumber(fields, 2) });
}

function readApp(fields: readonly ProtoField[]): Result<FeedApp> {
  return ok({ appId: lastUtf8(fields, 1), namespace: lastUtf8(fields, 2) });
}

function readConfig(fields: readonly ProtoField[]): Result<FeedConfigMessage> {
  const versions = readEach(fields, 1, readVersion);
  if (!versions.ok) return versions;
  const resources = readEach(fields, 3, readResource);
  if (!resources.ok) return resources;
  const trustAnchors = lastBytes(fields, 2) ?? Buffer.alloc(0);
  return ok({
    versions: versions.value,
    trustAnchors,
    resources: resources.value,
    barredNamespaces: allBytes(fields, 4).map((name) => name.toString('utf8')),
    defaultAccess: lastNumber(fields, 5) === 0 ? 'allow' : 'deny',
  });
}

function readResource(fields: readonly ProtoField[]): Result<FeedResource> {
  return ok({
    kind: lastUtf8(fields, 1),
    namespace: lastUtf8(fields, 2),
    name: lastUtf8(fields, 3),
    generation: lastNumber(fields, 4),
    createdMs: lastNumber(fields, 5),
    spec: lastBytes(fields, 6) ?? Buffer.alloc(0),
  });
}

function readEndpoints(fields: readonly ProtoField[]): Result<FeedEndpoints> {
  const app = nested(lastBytes(fields, 1) ?? Buffer.alloc(0), readApp);
  if (!app.ok) return app;
  const endpoints = readEach(fields, 3, readEndpoint);
  if (!endpoints.ok) return endpoints;
  const isClaimed = lastNumber(fields, 2) !== 0;
  return ok({ app: app.value, isClaimed, endpoints: endpoints.value, version: lastNumber(fields, 4) });
}

function readEndpoint(fields: readonly ProtoField[]): Result<FeedEndpoint> {
  const labels = readEach(fields, 8, (entry) => ok([lastUtf8(entry, 1), lastUtf8(entry, 2)] as const));
  if (!labels.ok) return labels;
  return ok({
    address: lastUtf8(fields, 1),
    port: lastNumber(fields, 2),
    ready: lastNumber(fields, 3) !== 0,
    serving: lastNumber(fields, 4) !== 0,
    terminating: lastNumber(fields, 5) !== 0,
    zone: lastUtf8(fields, 6),
    pod: lastUtf8(fields, 7),
    labels: new Map(labels.value),
  });
}

type Read<T> = (fields: readonly ProtoField[]) => Result<T>;

function nested<T>(bytes: Buffer, read: Read<T>): Result<T> {
  const fields = readFields(bytes);
  return fields.ok ? read(fields.value) : err(`a message inside of it is broken: ${fields.error}`);
}

function readOptional<T>(fields: readonly ProtoField[], number: number, read: Read<T>): Result<T | undefined> {
  const bytes = lastBytes(fields, number);
  return bytes === undefined ? ok(undefined) : nested(bytes, read);
}

function readEach<T>(
  fields: readonly ProtoField[],
  number: number,
  read: Read<T>,
  most = Number.POSITIVE_INFINITY,
): Result<readonly T[]> {
  const values: T[] = [];
  for (const bytes of allBytes(fields, number)) {
    if (values.length === most) break;
    const value = nested(bytes, read);
    if (!value.ok) return value;
    values.push(value.value);
  }
  return ok(values);
}
