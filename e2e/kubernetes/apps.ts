// Apps in pods: what a user would write into a manifest, and how a suite talks with them.
import { readFileSync } from 'node:fs';
import { apply, get, kubectl, type Manifest, until } from './kubectl.ts';

/** Any image with Node.js; it is in the cluster already. */
export const APP_IMAGE = process.env.E2E_APP_IMAGE ?? 'docker.io/library/node:24-bookworm-slim';
/** The apps' programs, by their file names. */
const PROGRAMS = Object.fromEntries(
  ['app.mjs', 'streams.mjs'].map((name) => [name, readFileSync(new URL(name, import.meta.url), 'utf8')]),
);

export interface AppOptions {
  readonly name: string;
  readonly namespace: string;
  /** On the pod template; none by default. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Merged over the pod's spec. */
  readonly pod?: Readonly<Record<string, unknown>>;
  /** Merged over the app's container. */
  readonly container?: Readonly<Record<string, unknown>>;
}

/** A namespace with the apps' programs in it. */
export async function namespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  await apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'app', namespace: name },
    data: PROGRAMS,
  });
}

export function podSpec({ env = {}, pod = {}, container = {} }: Omit<AppOptions, 'name' | 'namespace'>): object {
  const { initContainers, ...rest } = pod;
  return {
    terminationGracePeriodSeconds: 30,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    ...(initContainers === undefined ? {} : { initContainers }),
    containers: [appContainer({ env, container })],
    volumes: [{ name: 'app', configMap: { name: 'app' } }],
    ...rest,
  };
}

/** The app's container; also good for an init container that calls once and ends. */
export function appContainer({ env = {}, container = {} }: Pick<AppOptions, 'env' | 'container'>): object {
  return {
    name: 'app',
    image: APP_IMAGE,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '/app/app.mjs'],
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    volumeMounts: [{ name: 'app', mountPath: '/app' }],
    ...container,
  };
}

export function deployment(options: AppOptions): Manifest {
  const { name, namespace: where, annotations, replicas = 1 } = options;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: where },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, ...(annotations ? { annotations } : {}) },
        spec: podSpec(options),
      },
    },
  };
}

/** The annotations of an app that takes calls. */
export function meshed(appId: string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return {
    'invoke.io/app-id': appId,
    'invoke.io/app-port': '8080',
    ...Object.fromEntries(Object.entries(more).map(([key, value]) => [`invoke.io/${key}`, value])),
  };
}

export async function deploy(options: AppOptions): Promise<void> {
  await apply(deployment(options));
  await rolledOut(options.namespace, options.name);
}

export async function rolledOut(where: string, name: string): Promise<void> {
  await kubectl('rollout', 'status', `deployment/${name}`, '-n', where, '--timeout=180s');
}

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime: string;
    }[];
  };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
  readonly securityContext?: Readonly<Record<string, unknown>>;
}

export async function pods(where: string, selector: string): Promise<readonly Pod[]> {
  const { items } = await get<{ items: readonly Pod[] }>('pods', '-n', where, '-l', selector);
  return items;
}

/** One pod that is ready and stays. */
export async function aPod(where: string, selector: string): Promise<Pod> {
  return until(`a ready pod ${selector} in ${where}`, async () =>
    (await pods(where, selector)).find((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod)),
  );
}

export function isReady({ status }: Pod): boolean {
  return status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}

export interface Answer {
  /** 0: no answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the app echoed. */
export interface Echo {
  readonly pod: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Asks the app in that pod to call `path` through its sidecar; what is no GET has a body. */
export function callFrom(where: string, pod: string, path: string, method = 'GET'): Promise<Answer> {
  const asked = new URLSearchParams({ path, method, ...(method === 'GET' ? {} : { body: 'an order' }) });
  return control(where, pod, `call?${asked}`);
}

/** A call by name that has to succeed: what the callee saw. */
export async function echoed(where: string, pod: string, target: string, path = 'hello'): Promise<Echo> {
  const answer = await callFrom(where, pod, `/v1.0/invoke/${target}/method/${path}`);
  if (answer.status !== 200) throw new Error(`${target} answered ${answer.status}: ${answer.body}`);
  return JSON.parse(answer.body);
}

/** Through the API server, which reaches pods wherever this program runs. */
export async function control<T>(where: string, pod: string, ask: string): Promise<T> {
  return JSON.parse(await kubectl('get', '--raw', `/api/v1/namespaces/${where}/pods/${pod}:9000/proxy/${ask}`));
}
