// One line for each call that failed, with what the caller was told and what only this log may know.
//
// What the callee's side or the network did is for whoever runs this sidecar; what the caller did wrong is for the
// caller, who has been told, and is seen here only when somebody is looking.
import { grpcStatus, httpStatus } from '../../api/fault.ts';
import type { Log } from '../../kit/log.ts';
import { type FlightObserver, type FlightRecord, isTunnel } from '../way/flights.ts';

export function callLog(log: Log): FlightObserver {
  return {
    began: () => undefined,
    tunnelOpened: () => undefined,
    ended(record: FlightRecord) {
      const { fault, isGrpc, direction, peer, method, path, durationMs } = record;
      if (fault === undefined) return;
      const say = httpStatus(fault.code) >= 500 ? log.warn : log.debug;
      say(isTunnel(record) ? 'a tunnel broke' : 'a call failed', {
        direction,
        peer,
        method,
        path,
        fault: fault.code,
        ...(isGrpc && { grpcStatus: grpcStatus(fault.code) }),
        reason: fault.message,
        cause: fault.cause,
        durationMs: Math.round(durationMs),
      });
    },
  };
}

/** Several observers as one. */
export function observers(...all: readonly FlightObserver[]): FlightObserver {
  return {
    began: (direction) => {
      for (const observer of all) observer.began(direction);
    },
    tunnelOpened: (direction) => {
      for (const observer of all) observer.tunnelOpened(direction);
    },
    ended: (record) => {
      for (const observer of all) observer.ended(record);
    },
  };
}
