// What a sidecar counts about calls: how many, how long, how much, by direction, peer, status and fault; and what came that
// was none.
import { type Fault, grpcStatus, httpStatus } from '../../api/fault.ts';
import { Histogram, Numbers, renderMetrics } from '../../kit/metrics.ts';
import type { LimitWatch } from '../limit/deps.ts';
import { type Direction, type FlightObserver, type FlightRecord, isTunnel } from '../way/flights.ts';

/** Seconds; from a tenth of a millisecond, because a sidecar beside its app is that fast. */
const LATENCY_BOUNDS_SEC = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Peers whose slots are remembered; of others they are looked up. */
const PEERS_MAX = 2000;

interface PeerSlots {
  readonly duration: number;
  readonly requestBytes: number;
  readonly replyBytes: number;
  readonly byStatus: Map<number, number>;
}

export interface CallMetrics extends FlightObserver {
  certificateExpires(epochMs: number): void;
  /** By the rule of wire/http1 that was broken: the code names them all, so there are only so many. */
  httpOffence(rule: string): void;
  /** The app answered the question for its health, well or not. */
  appAsked(isGood: boolean): void;
  appIsHealthy(isHealthy: boolean): void;
  /** Calls that wait for their turn at the app. */
  appCallsWaiting(count: number): void;
  /** Of calls to the own app. */
  readonly inboundLimits: LimitWatch;
  /** A call was denied by a policy; `rule` is what decided. */
  accessDenied(direction: Direction, peer: string, rule: string): void;
  /** A call passed that a policy in audit mode would deny. */
  accessAuditDenied(peer: string, rule: string): void;
  render(): string;
}

export function callMetrics(version: string): CallMetrics {
  const numbers = openNumbers();
  const { requests, grpcRequests, duration, requestBytes, replyBytes, inFlight, tunnels } = numbers;
  const { offences, certificate, build, denied, auditDenied } = numbers;
  const { turnedAway, inboundLimit: limit, inboundWaiting: limitWaiting } = numbers;
  const { appHealthy: healthy, appProbes: probes, appWaiting: waiting } = numbers;
  build.set(build.slot(version), 1);
  const flying: Record<Direction, number> = { outbound: inFlight.slot('outbound'), inbound: inFlight.slot('inbound') };
  const open: Record<Direction, number> = { outbound: tunnels.slot('outbound'), inbound: tunnels.slot('inbound') };
  const peers: Record<Direction, Map<string, PeerSlots>> = { outbound: new Map(), inbound: new Map() };

  /** Where the numbers of a peer are: found by its name alone, and not by all its labels for each number. */
  function slotsOf(direction: Direction, peer: string): PeerSlots {
    const known = peers[direction].get(peer);
    if (known !== undefined) return known;
    const fresh = {
      duration: duration.slot(direction, peer),
      requestBytes: requestBytes.slot(direction, peer),
      replyBytes: replyBytes.slot(direction, peer),
      byStatus: new Map<number, number>(),
    };
    if (peers[direction].size < PEERS_MAX) peers[direction].set(peer, fresh);
    return fresh;
  }

  /** Nearly all calls end without a fault of ours, with one of a few statuses. */
  function requestSlot({ direction, fault, status }: FlightRecord, peer: string, slots: PeerSlots): number {
    if (fault !== undefined || status === undefined)
      return requests.slot(direction, peer, String(statusOf(status, fault)), fault?.code ?? '');
    let slot = slots.byStatus.get(status);
    if (slot === undefined) {
      slot = requests.slot(direction, peer, String(status), '');
      slots.byStatus.set(status, slot);
    }
    return slot;
  }

  return {
    began: (direction) => inFlight.add(flying[direction], 1),
    tunnelOpened: (direction) => tunnels.add(open[direction], 1),
    ended(record: FlightRecord) {
      const { direction } = record;
      // Names that nobody has are as many as anybody cares to make up.
      const peer = record.fault?.code === 'unknown-app' ? 'unknown' : record.peerLabel;
      const slots = slotsOf(direction, peer);
      inFlight.add(flying[direction], -1);
      requests.add(requestSlot(record, peer, slots), 1);
      if (record.isGrpc) grpcRequests.add(grpcRequests.slot(direction, peer, grpcStatusOf(record)), 1);
      // How long people talk says nothing of how fast anybody is.
      if (isTunnel(record)) tunnels.add(open[direction], -1);
      else duration.observe(slots.duration, record.durationMs / 1000);
      requestBytes.add(slots.requestBytes, record.requestBytes);
      replyBytes.add(slots.replyBytes, record.replyBytes);
    },
    httpOffence: (rule) => offences.add(offences.slot(rule), 1),
    appAsked: (isGood) => probes.add(probes.slot(isGood ? 'good' : 'bad'), 1),
    appIsHealthy: (isHealthy) => healthy.set(healthy.slot(), isHealthy ? 1 : 0),
    appCallsWaiting: (count) => waiting.set(waiting.slot(), count),
    inboundLimits: {
      turnedAway: (why) => turnedAway.add(turnedAway.slot(why), 1),
      limitIs: (max) => limit.set(limit.slot(), max ?? Number.POSITIVE_INFINITY),
      waiting: (count) => limitWaiting.set(limitWaiting.slot(), count),
    },
    accessDenied: (direction, peer, rule) => denied.add(denied.slot(direction, peer, rule), 1),
    accessAuditDenied: (peer, rule) => auditDenied.add(auditDenied.slot(peer, rule), 1),
    certificateExpires: (epochMs) => certificate.set(certificate.slot(), epochMs / 1000),
    render: () => renderMetrics(Object.values(numbers)),
  };
}

/** In the order in which they are shown. */
function openNumbers() {
  const counter = (name: string, help: string, labels: readonly string[]) => new Numbers('counter', name, help, labels);
  const gauge = (name: string, help: string, labels?: readonly string[]) => new Numbers('gauge', name, help, labels);
  const ofPeer = ['direction', 'peer'];
  return {
    build: gauge('invoke_build_info', 'Always 1; the version is in the label.', ['version']),
    requests: counter(
      'invoke_requests_total',
      "Calls that are over, by how they ended; status is the app's, or the one that the fault maps to.",
      [...ofPeer, 'status', 'fault'],
    ),
    grpcRequests: counter(
      'invoke_grpc_requests_total',
      "Native gRPC calls that are over, by their gRPC status: the app's, or the one that the fault maps to.",
      [...ofPeer, 'grpc_status'],
    ),
    duration: new Histogram(
      'invoke_request_duration_seconds',
      'From the first byte of a call to the last of its answer. Tunnels are left out.',
      ofPeer,
      LATENCY_BOUNDS_SEC,
    ),
    requestBytes: counter('invoke_request_body_bytes_total', 'Request body bytes that passed.', ofPeer),
    replyBytes: counter('invoke_response_body_bytes_total', 'Response body bytes that passed.', ofPeer),
    inFlight: gauge('invoke_requests_in_flight', 'Calls under way, open tunnels among them.', ['direction']),
    tunnels: gauge('invoke_tunnels_open', 'Tunnels that are open: WebSocket, and other upgrades.', ['direction']),
    offences: counter(
      'invoke_http_offences_total',
      'What came to the app API that was no HTTP or went past a limit, by the rule that it broke.',
      ['offence'],
    ),
    denied: counter('invoke_access_denied_total', 'Calls that a policy denied, by what decided.', [...ofPeer, 'rule']),
    auditDenied: counter(
      'invoke_access_audit_denied_total',
      'Calls that passed and that a policy in audit mode would deny, by what would decide.',
      ['peer', 'rule'],
    ),
    turnedAway: counter(
      'invoke_inbound_turned_away_total',
      'Calls that did not come in because of the limits of a Resiliency (inbound), by which.',
      ['reason'],
    ),
    inboundLimit: gauge(
      'invoke_inbound_limit',
      'How many calls may be under way in the app, by a Resiliency (inbound).',
    ),
    inboundWaiting: gauge('invoke_inbound_calls_waiting', 'Calls that wait for their turn because of that.'),
    appHealthy: gauge('invoke_app_healthy', 'Whether the app passes its health check; absent where there is none.'),
    appProbes: counter('invoke_app_health_probes_total', 'Health checks of the app, by how they ended.', ['result']),
    appWaiting: gauge('invoke_app_calls_waiting', 'Calls that wait for their turn at the app (app-max-concurrency).'),
    certificate: gauge('invoke_certificate_expiry_timestamp_seconds', 'When the workload certificate in use ends.'),
  };
}

function statusOf(status: number | undefined, fault: Fault | undefined): number {
  return status ?? (fault === undefined ? 0 : httpStatus(fault.code));
}

/** `other`: the app said something that is no status. */
function grpcStatusOf({ grpcStatus: status, fault }: FlightRecord): string {
  return String(fault === undefined ? (status ?? 'other') : grpcStatus(fault.code));
}
