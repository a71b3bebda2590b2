// What can go wrong between this sidecar and a peer's, as faults: each says whether the app can have seen the call.
import { type Fault, fault } from '../../api/fault.ts';
import { type Target, targetName } from '../../api/ids.ts';

export function peerClosing(target: Target, cause: string): Fault {
  return fault(
    'peer-closing',
    `the sidecar of ${targetName(target)} was closing the connection; its app has not seen the call.`,
    cause,
  );
}

export function peerBroke(target: Target, cause: string): Fault {
  return fault(
    'peer-broke',
    `the connection to ${targetName(target)} broke before its answer was complete; the app may have seen the call.`,
    cause,
  );
}
