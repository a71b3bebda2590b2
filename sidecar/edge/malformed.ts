// What to say to a client whose bytes are no request, or too many: the rules that wire/http1 keeps, in words for whoever wrote the
// client.
import { type Fault, fault } from '../../api/fault.ts';
import { LIMITS } from '../../wire/http1/limits.ts';
import type { WireFailure } from '../../wire/message.ts';
import { NO_TUNNEL } from './guard.ts';

const STRANGE_HOST =
  "the request's host is no name of this machine, or is not the one in its target; call localhost, or start the sidecar with --allowed-hosts";

/** By rule. Whatever else is wrong with a request is told by the rule's own name. */
const FAULTS: ReadonlyMap<string, Fault> = new Map([
  ['head-bytes', fault('headers-too-large', `the request's headers are larger than ${LIMITS.headBytesMax} bytes.`)],
  ['head-fields', fault('headers-too-large', `the request has more than ${LIMITS.fieldsMax} header fields.`)],
  ['trailer-bytes', fault('headers-too-large', `the request's trailers are larger than ${LIMITS.headBytesMax} bytes.`)],
  ['trailer-fields', fault('headers-too-large', `the request has more than ${LIMITS.fieldsMax} trailer fields.`)],
  [
    'chunk-extension-bytes',
    fault('body-too-large', `the chunk extensions of the body are larger than ${LIMITS.extensionBytesMax} bytes.`),
  ],
  ['head-time', fault('bad-request', "the request's headers took too long to arrive.")],
  ['method', fault('bad-request', 'the request begins with no HTTP verb.')],
  [
    'target',
    fault(
      'bad-request',
      'the request target holds a byte that no URL holds, such as a fragment (#); percent-encode it.',
    ),
  ],
  ['target-form', fault('bad-request', 'the request target is neither a path nor a whole URL; begin it with a slash.')],
  ['host-missing', fault('bad-request', 'the request has no Host header; send one.')],
  ['host-twice', fault('bad-request', 'the request has more than one Host header; send one.')],
  ['host', fault('origin-refused', STRANGE_HOST)],
  ['host-is-not-the-target', fault('origin-refused', STRANGE_HOST)],
  ['connect-host', NO_TUNNEL],
  ['connect-with-body', NO_TUNNEL],
  [
    'transfer-coding',
    fault('unimplemented', 'the only Transfer-Encoding that this sidecar takes is chunked, said once.'),
  ],
  [
    'transfer-encoding',
    fault('bad-request', 'the last Transfer-Encoding is not chunked, so nobody can tell where the body ends.'),
  ],
  ['transfer-encoding-in-http-1.0', fault('bad-request', 'HTTP/1.0 knows no Transfer-Encoding.')],
]);

export function faultOfRequest({ kind, reason }: WireFailure): Fault {
  if (kind === 'closed' || kind === 'reset') return fault('cancelled', 'the caller went away.', reason);
  return (
    FAULTS.get(reason) ??
    fault('bad-request', `the request is not HTTP as RFC 9112 and RFC 9113 have it (rule: ${reason}).`)
  );
}

export function requestTooLarge(bodyBytesMax: number): Fault {
  return fault(
    'body-too-large',
    `the body is larger than ${bodyBytesMax} bytes, which is all this sidecar takes; raise --max-body-size if it should pass.`,
  );
}
