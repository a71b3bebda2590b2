// What reflection tells is what the .proto files say, as another implementation of protobuf reads both.
import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor.js';
import { expect, test } from 'vitest';
import { PROTO_FILES } from './descriptors.ts';
import { schema } from './testing-schema.ts';

const told = protobuf.Root.fromDescriptor(descriptorSet(), { keepCase: true });
told.resolveAll();
schema.resolveAll();

/** A google.protobuf.FileDescriptorSet of all of them, each in its field 1. */
function descriptorSet(): Uint8Array {
  const writer = new protobuf.Writer();
  for (const { descriptor } of PROTO_FILES) writer.uint32(10).bytes(Buffer.from(descriptor, 'base64'));
  return writer.finish();
}

/** All that counts of a definition. */
function outline(object: protobuf.ReflectionObject | null): unknown {
  if (object instanceof protobuf.Enum) return object.values;
  if (object instanceof protobuf.Method)
    return [
      object.resolvedRequestType?.fullName,
      !!object.requestStream,
      object.resolvedResponseType?.fullName,
      !!object.responseStream,
    ];
  if (object instanceof protobuf.Service) return object.methodsArray.map(({ name }) => name);
  if (!(object instanceof protobuf.Type)) return undefined;
  return object.fieldsArray.map((field) => {
    const kind = field instanceof protobuf.MapField ? `map ${field.keyType}` : field.repeated;
    return [field.name, field.id, kind, field.resolvedType?.fullName ?? field.type, field.partOf?.name];
  });
}

const symbols = PROTO_FILES.flatMap((file) => file.symbols);

test.each(symbols)('%s', (symbol) => {
  const wanted = outline(schema.lookup(symbol.replace('.v1alpha.', '.v1.')));
  expect(wanted).toBeDefined();
  const described = JSON.stringify(outline(told.lookup(symbol))).replaceAll('.v1alpha.', '.v1.');
  expect(JSON.parse(described)).toEqual(JSON.parse(JSON.stringify(wanted)));
});

test('every file comes after those that it imports, and all of them are there', () => {
  const seen = new Set<string>();
  for (const { name, imports } of PROTO_FILES) {
    expect(imports.filter((imported) => !seen.has(imported))).toEqual([]);
    seen.add(name);
  }
  expect(symbols).toContain('dapr.proto.runtime.v1.Dapr.InvokeService');
});
