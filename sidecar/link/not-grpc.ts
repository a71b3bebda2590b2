// The answer to what comes to a port for gRPC and is something else: 415, as gRPC has it, with a word for people.
import { NOBODY, type RequestReceiver, type Responder } from '../../wire/message.ts';

/** At the end of the request, so that whoever breaks HTTP/2 in it hears of that. */
export function refuseNonGrpc(responder: Responder, words: string): RequestReceiver {
  return {
    ...NOBODY,
    end() {
      const body = Buffer.from(`${words}\n`);
      responder.head({ status: 415, fields: ['content-type', 'text/plain'], bodyBytes: body.length });
      responder.data(body);
      responder.end([]);
    },
  };
}
