// What an app that speaks gRPC answered, for a caller by HTTP: a failure is a page of JSON, as Dapr has it, and not a fault of
// ours; a body that is said to be a protobuf message is labelled as one.
import type { GrpcOutcome, ReplyHead } from '../../api/exchange.ts';
import { without } from '../../api/headers.ts';
import { jsonOfDetail } from '../../api/proto/detail-json.ts';

export interface HttpForm {
  readonly head: ReplyHead;
  /** In place of what the reply brings, which is nothing. */
  readonly body: Buffer | undefined;
}

export function fromGrpcApp(reply: ReplyHead): HttpForm {
  const { status, grpc } = reply;
  const others = without(reply.headers, 'content-type');
  if (grpc === undefined)
    return { head: { ...reply, headers: [...others, 'content-type', 'application/x-protobuf'] }, body: undefined };
  const body = Buffer.from(`${JSON.stringify(statusJson(grpc))}\n`);
  return { head: { status, headers: [...others, 'content-type', 'application/json'], bodyBytes: body.length }, body };
}

/** google.rpc.Status in protobuf's JSON, which leaves out what is empty. */
function statusJson({ code, message, details }: GrpcOutcome): Record<string, unknown> {
  return {
    code,
    ...(message !== '' && { message }),
    ...(details.length > 0 && { details: details.map(jsonOfDetail) }),
  };
}
