// grpc.reflection.v1.ServerReflection, and v1alpha, which is the same for older tools: what the gRPC port serves, and the .proto
// files behind it. What apps serve is not told here.
import { PROTO_FILES, type ProtoFileDescriptor } from '../../api/proto/descriptors.ts';
import { lastUtf8, type ProtoField, ProtoWriter, readFields } from '../../api/proto/protobuf.ts';
import { excerpt } from '../../kit/text.ts';
import { type GrpcMethod, type MethodAnswer, type MethodReceiver, unreadableMessage } from '../edge/grpc-methods.ts';

const SERVICES = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];
const MESSAGE_BYTES_MAX = 4096;

/** `services`: all that the port serves, by full names. */
export function reflectionMethods(services: () => readonly string[]): readonly GrpcMethod[] {
  return SERVICES.map((service) => ({
    path: `/${service}/ServerReflectionInfo`,
    messageBytesMax: MESSAGE_BYTES_MAX,
    open: (_metadata, answer) => new Reflection(answer, services()),
  }));
}

/** A tool's questions, each answered as it comes. */
class Reflection implements MethodReceiver {
  readonly #answer: MethodAnswer;
  readonly #services: readonly string[];

  constructor(answer: MethodAnswer, services: readonly string[]) {
    this.#answer = answer;
    this.#services = services;
  }

  message(bytes: Buffer): void {
    const question = readFields(bytes);
    if (!question.ok) {
      this.#answer.fail(unreadableMessage(question.error));
      return;
    }
    const writer = new ProtoWriter();
    writer.utf8(1, lastUtf8(question.value, HOST));
    writer.bytes(2, bytes);
    writeAnswer(writer, question.value, this.#services);
    this.#answer.message(writer.finish());
  }

  end(): void {
    this.#answer.finish();
  }

  gone(): void {}
}

// Fields of ServerReflectionRequest.
const HOST = 1;
const FILE_BY_NAME = 3;
const FILE_OF_SYMBOL = 4;
const FILE_OF_EXTENSION = 5;
const EXTENSION_NUMBERS = 6;
const LIST_SERVICES = 7;

// Fields of ServerReflectionResponse.
const FILES = 4;
const NUMBERS = 5;
const SERVICE_LIST = 6;
const ERROR = 7;

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;

function writeAnswer(writer: ProtoWriter, question: readonly ProtoField[], services: readonly string[]): void {
  // Of a oneof the last one counts.
  const asked = question.findLast(({ number }) => number >= FILE_BY_NAME && number <= LIST_SERVICES)?.number;
  const text = lastUtf8(question, asked ?? 0);
  if (asked === FILE_BY_NAME) writeFile(writer, FILE_WITH_NAME.get(text), text);
  else if (asked === FILE_OF_SYMBOL) writeFile(writer, FILE_WITH_SYMBOL.get(text), text);
  else if (asked === FILE_OF_EXTENSION) writeError(writer, NOT_FOUND, 'there are no extensions here');
  else if (asked === EXTENSION_NUMBERS) writeNoExtensions(writer, text);
  else if (asked === LIST_SERVICES) writeServices(writer, services);
  else writeError(writer, INVALID_ARGUMENT, 'the message asks nothing that is known here');
}

function writeServices(writer: ProtoWriter, services: readonly string[]): void {
  writer.message(SERVICE_LIST, (list) => {
    for (const name of services) list.message(1, (service) => service.utf8(1, name));
  });
}

function writeNoExtensions(writer: ProtoWriter, type: string): void {
  if (!FILE_WITH_SYMBOL.has(type)) writeError(writer, NOT_FOUND, `there is no message ${excerpt(type)} here`);
  else writer.message(NUMBERS, (numbers) => numbers.utf8(1, type));
}

/** With all that it imports, which saves tools from asking for those. */
function writeFile(writer: ProtoWriter, file: ProtoFileDescriptor | undefined, asked: string): void {
  if (file === undefined) writeError(writer, NOT_FOUND, `there is no ${excerpt(asked)} here`);
  else
    writer.message(FILES, (files) => {
      for (const { descriptor } of withImports(file)) files.bytes(1, Buffer.from(descriptor, 'base64'));
    });
}

function writeError(writer: ProtoWriter, code: number, message: string): void {
  writer.message(ERROR, (error) => {
    error.uint(1, code);
    error.utf8(2, message);
  });
}

const FILE_WITH_NAME = new Map(PROTO_FILES.map((file) => [file.name, file]));
const FILE_WITH_SYMBOL = new Map(PROTO_FILES.flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const)));

/** The file, then those that it imports, each once. */
function withImports(file: ProtoFileDescriptor): ReadonlySet<ProtoFileDescriptor> {
  const found = new Set([file]);
  for (const { imports } of found) {
    for (const name of imports) {
      const imported = FILE_WITH_NAME.get(name);
      if (imported !== undefined) found.add(imported);
    }
  }
  return found;
}
