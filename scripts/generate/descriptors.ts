// What server reflection tells tools of the services of the gRPC port: each .proto file behind them as a
// google.protobuf.FileDescriptorProto, made from api/proto/*.proto, so that the sidecar needs no library for it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { encodeFile } from './file-descriptor.ts';

export const DESCRIPTORS_PATH = 'api/proto/descriptors.ts';

const PROTOS = join(import.meta.dirname, '../../api/proto');

export interface ProtoFile {
  /** By which tools know it. */
  readonly name: string;
  readonly source: string;
}

/** The two of google's that ours import, as far as reflection tells of them. */
const ANY = 'syntax = "proto3"; package google.protobuf; message Any { string type_url = 1; bytes value = 2; }';
const EMPTY = 'syntax = "proto3"; package google.protobuf; message Empty {}';

const COMMON = 'dapr/proto/common/v1/common.proto';

/** Each after those that it imports. */
export function protoFiles(): readonly ProtoFile[] {
  const source = (file: string) => readFileSync(join(PROTOS, file), 'utf8').replace('"common.proto"', `"${COMMON}"`);
  const reflection = source('reflection.proto');
  const alpha = reflection.replace('package grpc.reflection.v1;', 'package grpc.reflection.v1alpha;');
  return [
    { name: 'google/protobuf/any.proto', source: ANY },
    { name: 'google/protobuf/empty.proto', source: EMPTY },
    { name: COMMON, source: source('common.proto') },
    { name: 'dapr/proto/runtime/v1/runtime.proto', source: source('runtime.proto') },
    { name: 'grpc/health/v1/health.proto', source: source('health.proto') },
    { name: 'grpc/reflection/v1/reflection.proto', source: reflection },
    { name: 'grpc/reflection/v1alpha/reflection.proto', source: alpha },
  ];
}

export function generateDescriptors(): string {
  const files = protoFiles();
  const all = new protobuf.Root();
  for (const { source } of files) protobuf.parse(source, all, { keepCase: true });
  all.resolveAll();
  return `${HEAD}${files.map((file) => entry(file, all)).join('')}];\n`;
}

const HEAD = `// The .proto files behind the services of the gRPC port, for server reflection. Made by \`npm run generate\` from api/proto/*.proto.

export interface ProtoFileDescriptor {
  /** By which other files import it. */
  readonly name: string;
  readonly imports: readonly string[];
  /** What it defines, by full names: services and their methods, messages, enums. */
  readonly symbols: readonly string[];
  /** A google.protobuf.FileDescriptorProto, in base64. */
  readonly descriptor: string;
}

export const PROTO_FILES: readonly ProtoFileDescriptor[] = [
`;

function entry({ name, source }: ProtoFile, all: protobuf.Root): string {
  const { root, imports = [], package: packageName = '' } = protobuf.parse(source, { keepCase: true });
  const own = namespaceOf(root.lookup(packageName)).nestedArray.map(({ fullName }) => all.lookup(fullName));
  const defined = own.flatMap((object) => (object === null ? [] : [object]));
  const { bytes, symbols } = encodeFile({ name, packageName, imports, defined });
  return `  {
    name: ${quoted(name)},
    imports: ${list(imports)},
    symbols: ${list(symbols)},
    descriptor:${breakBefore(quoted(bytes.toString('base64')))},
  },
`;
}

function namespaceOf(object: protobuf.ReflectionObject | null): protobuf.Namespace {
  if (object instanceof protobuf.Namespace) return object;
  throw new Error('a .proto file has to name its package');
}

const quoted = (text: string) => `'${text}'`;

const LINE_CHARACTERS_MAX = 120;

// As the formatter writes it: on one line where there is room.

function breakBefore(value: string): string {
  const isShort = '    descriptor: ,'.length + value.length <= LINE_CHARACTERS_MAX;
  return isShort ? ` ${value}` : `\n      ${value}`;
}

function list(items: readonly string[]): string {
  const short = `[${items.map(quoted).join(', ')}]`;
  if ('    symbols: ,'.length + short.length <= LINE_CHARACTERS_MAX) return short;
  return `[\n${items.map((item) => `      ${quoted(item)},\n`).join('')}    ]`;
}
