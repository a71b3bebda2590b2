// What a sidecar counts about calls: how many, how long, how much, by direction, peer, status and fault; and what came that
// was none.
import { grpcStatus, httpStatus } from '../../api/fault.ts';
import { Histogram, Numbers, renderMetrics } from '../../kit/metrics.ts';
import type { Direction, FlightObserver, FlightRecord } from '../way/flights.ts';

/** Seconds; from a tenth of a millisecond, because a sidecar beside its app is that fast. */
const LATENCY_BOUNDS_SEC = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

export interface CallMetrics extends FlightObserver {
  certificateExpires(epochMs: number): void;
  /** By the rule of wire/http1 that was broken: the code names them all, so there are only so many. */
  httpOffence(rule: string): void;
  render(): string;
}

export function callMetrics(version: string): CallMetrics {
  const numbers = openNumbers();
  const { requests, grpcRequests, duration, requestBytes, replyBytes, inFlight, offences, certificate, build } =
    numbers;
  build.set(build.slot(version), 1);
  const flying: Record<Direction, number> = { outbound: inFlight.slot('outbound'), inbound: inFlight.slot('inbound') };

  return {
    began: (direction) => inFlight.add(flying[direction], 1),
    ended(record: FlightRecord) {
      const { direction } = record;
      // Names that nobody has are as many as anybody cares to make up.
      const peer = record.fault?.code === 'unknown-app' ? 'unknown' : record.peer;
      inFlight.add(flying[direction], -1);
      requests.add(requests.slot(direction, peer, String(statusOf(record)), record.fault?.code ?? ''), 1);
      if (record.kind === 'grpc') grpcRequests.add(grpcRequests.slot(direction, peer, grpcStatusOf(record)), 1);
      duration.observe(duration.slot(direction, peer), record.durationMs / 1000);
      requestBytes.add(requestBytes.slot(direction, peer), record.requestBytes);
      replyBytes.add(replyBytes.slot(direction, peer), record.replyBytes);
    },
    httpOffence: (rule) => offences.add(offences.slot(rule), 1),
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
      'From the first byte of a call to the last of its answer.',
      ofPeer,
      LATENCY_BOUNDS_SEC,
    ),
    requestBytes: counter('invoke_request_body_bytes_total', 'Request body bytes that passed.', ofPeer),
    replyBytes: counter('invoke_response_body_bytes_total', 'Response body bytes that passed.', ofPeer),
    inFlight: gauge('invoke_requests_in_flight', 'Calls under way.', ['direction']),
    offences: counter(
      'invoke_http_offences_total',
      'What came to the app API that was no HTTP/1.1 or went past a limit, by the rule that it broke.',
      ['offence'],
    ),
    certificate: gauge('invoke_certificate_expiry_timestamp_seconds', 'When the workload certificate in use ends.'),
  };
}

function statusOf({ status, fault }: FlightRecord): number {
  return status ?? (fault === undefined ? 0 : httpStatus(fault.code));
}

/** `other`: the app said something that is no status. */
function grpcStatusOf({ grpcStatus: status, fault }: FlightRecord): string {
  return String(fault === undefined ? (status ?? 'other') : grpcStatus(fault.code));
}
