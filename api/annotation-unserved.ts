// Dapr's annotations that do nothing here: what this version does not do yet, or never will. Only the value that asks for nothing is
// taken: silence would look like consent.
import { parseSwitch } from './annotation-values.ts';

/** A key of Dapr's that is known here and does nothing. */
export interface UnservedAnnotation {
  readonly key: string;
  /** The values that are taken, for people; empty for none. */
  readonly takes: readonly string[];
  readonly isTaken: (text: string) => boolean;
  /** Why no other is: the end of a sentence. */
  readonly because: string;
}

/** Off is all it can be. */
function off(key: string, because: string): UnservedAnnotation {
  return { key, takes: ['false'], isTaken: (text) => text === '' || isSwitchedTo(text, false), because };
}

/** On is all it can be. */
function on(key: string, because: string): UnservedAnnotation {
  return { key, takes: ['true'], isTaken: (text) => isSwitchedTo(text, true), because };
}

function only(key: string, takes: readonly string[], because: string): UnservedAnnotation {
  return { key, takes, isTaken: (text) => takes.includes(text), because };
}

function isSwitchedTo(text: string, wanted: boolean): boolean {
  const value = parseSwitch(text);
  return value.ok && value.value === wanted;
}

const LIVENESS = 'the sidecar has no liveness probe, since a restart would cut its calls';
const PLUGGABLE = 'there are no components';
const ACTORS = 'actors are not served yet';

export const UNSERVED: readonly UnservedAnnotation[] = [
  on('enabled', 'invoke.io/app-id alone decides; take that away to leave a pod out'),
  on('enable-native-sidecar', 'the sidecar is a native one always'),
  off(
    'app-ssl',
    'it is an old name; write invoke.io/app-protocol: https, or grpcs, and see invoke.io/app-tls-ca-secret, because certificates are verified here',
  ),
  only('config', [], 'there is no Configuration; policies are resources of their own'),
  off('enable-api-logging', 'the log names every failed call, and a log of all calls is not served yet'),
  off('enable-profiling', 'profiling is not served yet'),
  off('enable-debug', 'debugging the sidecar is not served'),
  only('debug-port', ['40000'], 'debugging the sidecar is not served'),
  only(
    'sidecar-listen-addresses',
    ['127.0.0.1', '[::1],127.0.0.1'],
    'the app API listens on loopback alone, where nobody but the pod can reach it',
  ),
  only(
    'sidecar-seccomp-profile-type',
    ['RuntimeDefault'],
    'the sidecar runs under the Restricted pod security standard',
  ),
  only('sidecar-liveness-probe-delay-seconds', ['0', '180'], LIVENESS),
  only('sidecar-liveness-probe-timeout-seconds', ['3'], LIVENESS),
  only('sidecar-liveness-probe-period-seconds', ['10'], LIVENESS),
  only('sidecar-liveness-probe-threshold', ['5'], LIVENESS),
  only('read-buffer-size', ['4Ki', '8Ki', '16Ki', '32Ki', '64Ki'], 'headers may have 64Ki always'),
  only('http-read-buffer-size', ['4', '8', '16', '32', '64'], 'headers may have 64Ki always'),
  only('http-max-request-size', ['4'], 'it is an old name; write invoke.io/max-body-size, such as 8Mi'),
  only('block-shutdown-duration', ['', '0', '0s'], 'the sidecar serves until the app has ended anyway'),
  only('unix-domain-socket-path', [], 'sockets other than TCP are not served yet'),
  only('disable-builtin-k8s-secret-store', ['true', 'false'], 'there is no secret store'),
  only('disable-init-endpoints', [], 'there are no init endpoints'),
  only('placement-host-address', [], ACTORS),
  only('actors-disseminate-timeout', [], ACTORS),
  only('scheduler-host-address', [], 'jobs are not served yet'),
  only('app-binding-options-timeout', [], 'bindings are not served yet'),
  only('sentry-request-jwt-audiences', [], 'JWTs are not served yet'),
  only('sidecar-svc-annotations', [], "annotations on the app's Service are not served yet"),
  only('pluggable-components', [], PLUGGABLE),
  only('pluggable-components-sockets-folder', [], PLUGGABLE),
  only('component-container', [], PLUGGABLE),
  off('inject-pluggable-components', PLUGGABLE),
];
