// A .proto file as a google.protobuf.FileDescriptorProto (descriptor.proto): as much of it as our files have need of. What they
// have not is refused, so that nothing is left out unseen.
import protobuf from 'protobufjs';
import { ProtoWriter } from '../../api/proto/protobuf.ts';

export interface ResolvedFile {
  readonly name: string;
  readonly packageName: string;
  readonly imports: readonly string[];
  /** What it defines, with all types resolved. */
  readonly defined: readonly protobuf.ReflectionObject[];
}

export interface EncodedFile {
  readonly bytes: Buffer;
  /** Full names. */
  readonly symbols: readonly string[];
}

export function encodeFile({ name, packageName, imports, defined }: ResolvedFile): EncodedFile {
  const writer = new ProtoWriter(2048);
  writer.utf8(1, name);
  writer.utf8(2, packageName);
  for (const imported of imports) writer.utf8(3, imported);
  for (const object of defined) {
    if (object instanceof protobuf.Type) writer.message(4, (type) => writeType(type, object));
    else if (object instanceof protobuf.Enum) writer.message(5, (type) => writeEnum(type, object));
    else if (object instanceof protobuf.Service) writer.message(6, (service) => writeService(service, object));
    else throw new Error(`${object.fullName} is of a kind that is not written yet`);
  }
  writer.utf8(12, 'proto3');
  return { bytes: writer.finish(), symbols: defined.flatMap(symbolsOf) };
}

function symbolsOf(object: protobuf.ReflectionObject): readonly string[] {
  const name = object.fullName.slice(1);
  if (object instanceof protobuf.Service)
    return [name, ...object.methodsArray.map((method) => `${name}.${method.name}`)];
  if (object instanceof protobuf.Type) return [name, ...object.nestedArray.flatMap(symbolsOf)];
  return [name];
}

function writeType(writer: ProtoWriter, type: protobuf.Type): void {
  writer.utf8(1, type.name);
  for (const field of type.fieldsArray) writer.message(2, (written) => writeField(written, field, type));
  for (const nested of type.nestedArray) {
    if (nested instanceof protobuf.Type) writer.message(3, (written) => writeType(written, nested));
    if (nested instanceof protobuf.Enum) writer.message(4, (written) => writeEnum(written, nested));
  }
  for (const field of type.fieldsArray) {
    if (field instanceof protobuf.MapField) writer.message(3, (entry) => writeMapEntry(entry, field));
  }
  for (const { name } of type.oneofsArray) writer.message(8, (oneof) => oneof.utf8(1, name));
}

const OPTIONAL = 1;
const REPEATED = 3;

function writeField(writer: ProtoWriter, field: protobuf.Field, type: protobuf.Type): void {
  const isMap = field instanceof protobuf.MapField;
  writer.utf8(1, field.name);
  writer.uint(3, field.id);
  writer.uint(4, isMap || field.repeated ? REPEATED : OPTIONAL);
  if (isMap) {
    writer.uint(5, MESSAGE);
    writer.utf8(6, `${type.fullName}.${entryName(field)}`);
  } else {
    writeFieldType(writer, field);
  }
  if (field.partOf !== null) writeNumber(writer, 9, type.oneofsArray.indexOf(field.partOf));
  writer.utf8(10, field.options?.json_name ?? protobuf.util.camelCase(field.name));
}

/** A number that is said even when it is 0: in descriptor.proto, which is proto2, one that is not there is another thing. */
function writeNumber(writer: ProtoWriter, field: number, value: number): void {
  if (value === 0) writer.raw(Buffer.from([field * 8, 0]));
  else writer.uint(field, value);
}

type Typed = Pick<protobuf.Field, 'type' | 'resolvedType' | 'fullName'>;

function writeFieldType(writer: ProtoWriter, { type, resolvedType, fullName }: Typed): void {
  if (resolvedType !== null) {
    writer.uint(5, resolvedType instanceof protobuf.Enum ? ENUM : MESSAGE);
    writer.utf8(6, resolvedType.fullName);
    return;
  }
  const number = SCALARS[type];
  if (number === undefined) throw new Error(`${fullName} is of a type that is not written yet: ${type}`);
  writer.uint(5, number);
}

/** FieldDescriptorProto.Type */
const MESSAGE = 11;
const ENUM = 14;
const SCALARS: Readonly<Record<string, number>> = {
  int64: 3,
  uint64: 4,
  int32: 5,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
};

/** What a map is on the wire: repeated messages of a key and a value. */
function writeMapEntry(writer: ProtoWriter, field: protobuf.MapField): void {
  writer.utf8(1, entryName(field));
  writer.message(2, (key) => {
    key.utf8(1, 'key');
    key.uint(3, 1);
    key.uint(4, OPTIONAL);
    key.uint(5, SCALARS[field.keyType] ?? 0);
    key.utf8(10, 'key');
  });
  writer.message(2, (value) => {
    value.utf8(1, 'value');
    value.uint(3, 2);
    value.uint(4, OPTIONAL);
    writeFieldType(value, field);
    value.utf8(10, 'value');
  });
  writer.message(7, (options) => options.bool(7, true));
}

function entryName({ name }: protobuf.MapField): string {
  const camel = protobuf.util.camelCase(name);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

function writeEnum(writer: ProtoWriter, { name, values }: protobuf.Enum): void {
  writer.utf8(1, name);
  for (const [key, number] of Object.entries(values)) {
    writer.message(2, (value) => {
      value.utf8(1, key);
      writeNumber(value, 2, number);
    });
  }
}

function writeService(writer: ProtoWriter, service: protobuf.Service): void {
  writer.utf8(1, service.name);
  for (const method of service.methodsArray) {
    writer.message(2, (written) => {
      written.utf8(1, method.name);
      written.utf8(2, method.resolvedRequestType?.fullName ?? '');
      written.utf8(3, method.resolvedResponseType?.fullName ?? '');
      written.bool(5, method.requestStream ?? false);
      written.bool(6, method.responseStream ?? false);
    });
  }
}
