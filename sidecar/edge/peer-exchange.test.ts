// Messages that a peer begins and does not finish: what they make us hold is bounded for all streams of its connection together.
import { expect, test } from 'vitest';
import { closedRequest } from '../../api/exchange.ts';
import { headerValue } from '../../api/headers.ts';
import { HeldBytes } from '../../kit/held-bytes.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import type { RequestHead, RequestReceiver, Responder } from '../../wire/message.ts';
import { identityOf } from '../testing/mesh.ts';
import { type PeerCallDeps, servePeerCall } from './peer-exchange.ts';
import { type PeerTunnelDeps, servePeerTunnel } from './peer-tunnel.ts';

type Deps = PeerCallDeps & PeerTunnelDeps;
type Serve = (head: RequestHead, responder: Responder, deps: Deps) => RequestReceiver;

const HEAD: RequestHead = {
  ...{ method: 'POST', target: '/any', authority: 'peer', scheme: 'https', fields: [] },
  ...{ bodyBytes: undefined, upgrade: undefined, expectsContinue: false },
};
const LEFT = { kind: 'reset', reason: 'the peer left' } as const;

/** So much of a message that is longer. */
function begun(bytes: number): Buffer {
  const front = Buffer.alloc(bytes);
  front.writeUInt32BE(50_000, 1);
  return front;
}

test.each<[string, Serve]>([
  ['streamed calls', (head, responder, deps) => servePeerCall(head, responder, false, deps)],
  ['calls in one message', (head, responder, deps) => servePeerCall(head, responder, true, deps)],
  ['tunnels', servePeerTunnel],
])('unfinished messages of %s share one bound, and whatever ends makes room', (_, serve) => {
  const deps: Deps = {
    ...{ open: () => closedRequest, self: identityOf('shop'), caller: identityOf('web'), clock: manualClock() },
    ...{ bodyBytesMax: 100_000, held: new HeldBytes(10_000), upgradeProtocols: [] },
  };
  const stream = () => {
    const said: (string | undefined)[] = [];
    const ignored = () => undefined;
    const responder: Responder = {
      ...{ informational: ignored, end: ignored, abort: ignored, resume: ignored, cancel: ignored },
      head: ({ fields }) => said.push(headerValue(fields, 'invoke-fault')),
      data: () => 'ok',
    };
    return { request: serve(HEAD, responder, deps), said };
  };
  const [first, second, third, fourth] = [stream(), stream(), stream(), stream()];
  first.request.data(begun(4000));
  first.request.data(Buffer.alloc(2000));
  second.request.data(begun(6000));
  expect([first.said, second.said]).toEqual([[], ['body-too-large']]);
  third.request.data(begun(3000));
  first.request.cancel(LEFT);
  fourth.request.data(begun(6000));
  expect([third.said, fourth.said]).toEqual([[], []]);
  third.request.data(Buffer.alloc(2000));
  expect(third.said).toEqual(['body-too-large']);
  fourth.request.data(Buffer.alloc(3000));
  expect(fourth.said).toEqual([]);
});
