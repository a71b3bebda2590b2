// For tests: one port that speaks HTTP/1.1, and HTTP/2 to whoever asks for it by Upgrade (RFC 7540, 3.2).
import { once } from 'node:events';
import { createServer } from 'node:net';
import { systemClock } from '../../kit/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import type { ByteLink, ByteLinkEvents } from '../byte-link.ts';
import { http1Server } from '../http1/server.ts';
import { http2Server } from '../http2/server.ts';
import type { RequestHead, RequestReceiver, Responder, Serve, WireFailure } from '../message.ts';
import { socketLink } from '../socket-link.ts';

export interface UpgradingServer {
  readonly port: number;
  /** Why connections of HTTP/2 ended that have. */
  readonly ends: readonly WireFailure[];
  /** Resolves when all connections have ended, which they do by their clients. */
  close(): Promise<void>;
}

export async function upgradingServer(serve: Serve): Promise<UpgradingServer> {
  const ends: WireFailure[] = [];
  const upgrade: Serve = (head, responder) => {
    const settings = head.upgrade === 'h2c' ? settingsOf(head) : undefined;
    if (settings === undefined) return serve(head, responder);
    const { link, receiver } = tunnelLink(responder);
    queueMicrotask(() => {
      responder.head({ status: 101, fields: ['upgrade', 'h2c'], bodyBytes: undefined });
      const request = { ...head, upgrade: undefined };
      const events = { closed: (failure: WireFailure) => ends.push(failure) };
      http2Server(link, serve, events, { clock: systemClock, upgraded: { request, settings } });
    });
    return receiver;
  };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    http1Server(socketLink(socket), upgrade, { elapsedMs: () => 0, closed: () => undefined });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: portOf(server),
    ends,
    async close() {
      server.close();
      await once(server, 'close');
    },
  };
}

function settingsOf({ http2Settings }: RequestHead): Buffer | undefined {
  const isReadable = http2Settings !== undefined && /^[\w-]*$/.test(http2Settings);
  return isReadable ? Buffer.from(http2Settings, 'base64url') : undefined;
}

/** The bare bytes of a tunnel, as a link. */
function tunnelLink(responder: Responder): { readonly link: ByteLink; readonly receiver: RequestReceiver } {
  let events: ByteLinkEvents | undefined;
  let [isPaused, isClosed, hasNearEnded, hasFarEnded] = [false, false, false, false];
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    queueMicrotask(() => events?.closed(undefined));
  };
  const link: ByteLink = {
    write: (bytes) => responder.data(bytes) === 'ok',
    end() {
      hasNearEnded = true;
      responder.end([]);
      if (hasFarEnded) close();
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      responder.resume();
    },
    destroy() {
      responder.abort({ kind: 'closed', reason: 'given up' });
      close();
    },
    listen(listener) {
      events = listener;
    },
  };
  const receiver: RequestReceiver = {
    data(chunk) {
      events?.data(chunk);
      return isPaused ? 'pause' : 'ok';
    },
    end() {
      hasFarEnded = true;
      events?.ended();
      if (hasNearEnded) close();
    },
    resume: () => events?.drained(),
    abort: close,
    cancel: close,
  };
  return { link, receiver };
}
