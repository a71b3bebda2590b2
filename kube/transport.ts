// One HTTP request to the API server, with the credentials of this moment: tokens and certificates are renewed on disk.
//
// node:http rather than fetch: its agent keeps connections apart by certificate, and its streams push back. The library
// makes a new connection pool for every request of fetch.
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as requestHttps } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';

export type KubeCredentials =
  | KubeConfig
  | 'in-cluster'
  /** Without a context: the one that the file calls current. */
  | { readonly kubeconfigFile: string; readonly context?: string | undefined };

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
}

/** Settles when the head of the answer is there. Rejects where there is none. Aborting cuts the connection at any time. */
export type Transport = (request: ApiRequest, signal: AbortSignal) => Promise<IncomingMessage>;

const IDLE_TIMEOUT_MS = 30_000;
/** The probes that find a peer that is gone begin after as long a silence. */
const TCP_KEEP_ALIVE_MS = 30_000;

export function openTransport(credentials: KubeCredentials, userAgent: string): Result<Transport> {
  const loaded = load(credentials);
  if (!loaded.ok) return loaded;
  const kubeConfig = loaded.value;
  const server = kubeConfig.getCurrentCluster()?.server;
  if (server === undefined) return err('the kubeconfig names no current cluster: set its current-context');
  if (!URL.canParse(server)) return err(`there is no API server to speak to at ${server}: is this a pod?`);
  const base = server.replace(/\/+$/, '');
  const isTls = base.startsWith('https:');
  const pool = { keepAlive: true, keepAliveMsecs: TCP_KEEP_ALIVE_MS, timeout: IDLE_TIMEOUT_MS };
  const agent = isTls ? new HttpsAgent(pool) : new HttpAgent(pool);
  const isProxied = kubeConfig.getCurrentCluster()?.proxyUrl !== undefined;

  return ok(async (request, signal) => {
    const options: RequestOptions = { headers: {} };
    await kubeConfig.applyToHTTPSOptions(options);
    // The library's own agent keeps no connection; it is the one that knows proxies.
    if (!isProxied) options.agent = agent;
    const headers = { ...options.headers, ...headersOf(request, userAgent) };
    signal.throwIfAborted();
    const open = isTls ? requestHttps : requestHttp;
    const sending = open(`${base}${request.path}`, { ...options, method: request.method, headers });
    return answerTo(sending, request, signal);
  });
}

/**
 * The signal is not given to the request itself, which would destroy a socket with an error just when the agent takes it
 * back and nobody listens for one.
 */
function answerTo(sending: ClientRequest, { body }: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const abort = () => void sending.destroy();
  signal.addEventListener('abort', abort);
  sending.on('close', () => signal.removeEventListener('abort', abort));
  sending.on('socket', (socket) => socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS));
  return new Promise((resolve, reject) => {
    sending.on('response', resolve);
    sending.on('error', reject);
    sending.end(body?.text);
  });
}

function headersOf({ body }: ApiRequest, userAgent: string): Record<string, string | number> {
  const common = { accept: 'application/json', 'user-agent': userAgent };
  if (body === undefined) return common;
  return { ...common, 'content-type': body.type, 'content-length': Buffer.byteLength(body.text) };
}

function load(credentials: KubeCredentials): Result<KubeConfig> {
  if (credentials instanceof KubeConfig) return ok(credentials);
  const kubeConfig = new KubeConfig();
  try {
    if (credentials === 'in-cluster') kubeConfig.loadFromCluster();
    else {
      kubeConfig.loadFromFile(credentials.kubeconfigFile);
      if (credentials.context !== undefined) return inContext(kubeConfig, credentials.context);
    }
    return ok(kubeConfig);
  } catch (error) {
    return err(`the credentials for the Kubernetes API cannot be read: ${messageOf(error)}`);
  }
}

function inContext(kubeConfig: KubeConfig, context: string): Result<KubeConfig> {
  const known = kubeConfig.getContexts().map(({ name }) => name);
  if (!known.includes(context)) {
    return err(`the kubeconfig has no context "${excerpt(context)}"; it has ${known.join(', ') || 'none'}`);
  }
  kubeConfig.setCurrentContext(context);
  return ok(kubeConfig);
}
