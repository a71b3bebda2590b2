// The webhooks over HTTPS: mutating pods and workloads, and validating the annotations of workloads. Every replica serves.
import { createServer, type Server } from 'node:https';
import express, { type ErrorRequestHandler, type Express, type Request } from 'express';
import { defaultMistakes } from '../../api/annotations.ts';
import type { Namespace } from '../../api/ids.ts';
import { TRUST_BUNDLE } from '../../api/pod.ts';
import type { HttpEndpointResource } from '../../api/resources/http-endpoint.ts';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import type { Random } from '../../kit/backoff.ts';
import { type Clock, within } from '../../kit/clock.ts';
import { parseJson } from '../../kit/json.ts';
import { listen } from '../../kit/listen.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Kube } from '../../kube/kube.ts';
import type { Store } from '../../kube/store.ts';
import type { OperatorConfig } from '../config.ts';
import type { ServingPart } from '../serving-part.ts';
import {
  type AdmissionRequest,
  bugIn,
  type Decision,
  type Judge,
  judgeAnnotations,
  judgePod,
  judgeWorkload,
  nameOf,
  notYet,
  readReview,
  response,
  warned,
} from './admission.ts';
import { boundBodies } from './body-room.ts';
import { keepCertificates } from './certificate-keeper.ts';
import type { WebhookCertificates } from './certificates.ts';
import { POD_WEBHOOK, VALIDATION_WEBHOOK, WORKLOAD_WEBHOOK } from './conditions.ts';
import { type WebhookMetrics, type WebhookName, webhookMetrics } from './webhook-metrics.ts';

export interface WebhookOptions {
  readonly config: OperatorConfig;
  readonly kube: Kube;
  /** Keyed by their name, which is their namespace's. */
  readonly namespacePolicies: Store<NamespacePolicy>;
  readonly httpEndpoints: Store<HttpEndpointResource>;
  /** Settles when the namespace has the ConfigMap that its sidecars mount. */
  readonly ensureTrustBundle: (namespace: Namespace) => Promise<Result<void>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A review holds an object twice at most, and etcd takes objects of 1.5 MiB. */
const BODY_LIMITS = { bytesMax: 4 * 2 ** 20, bytesPerAddressMax: 24 * 2 ** 20, bytesAtOnceMax: 96 * 2 ** 20 };
/** An API server may ask some hundred things at once, each on a connection of its own; a stranger gets no more. */
const CONNECTION_LIMITS = { connectionsMax: 2048, connectionsPerAddressMax: 512 };
const TRUST_BUNDLE_MS = 3000;
const HANDSHAKE_MS = 5000;
/** For a whole request to come: as long as the API server waits for an answer. */
const REQUEST_MS = 10_000;
const REQUEST_LOOK_MS = 5000;
const STOP_MS = 5000;
/** Longer than the API server lets a connection idle (90 s), so that it is not closed while a request is on its way. */
const KEEP_ALIVE_MS = 120_000;

/** They serve once every caBundle is in place. Stopping, they answer what is under way. */
export async function startWebhooks(options: WebhookOptions): Promise<Result<ServingPart>> {
  const { config, namespacePolicies, httpEndpoints, clock } = options;
  const mistakes = defaultMistakes(config.sidecar.defaults);
  if (mistakes.length > 0) return err(`the defaults of sidecars cannot be used: ${mistakes.join('; ')}`);
  const log = options.log.with({ part: 'webhook' });
  const metrics = webhookMetrics();
  let lacking: string | undefined = 'NamespacePolicies and HTTPEndpoints have not been listed yet';
  void Promise.all([namespacePolicies.synced, httpEndpoints.synced]).then(() => {
    lacking = undefined;
  });

  let isStopping = false;
  const decider = { ...options, log, lacking: () => lacking, isStopping: () => isStopping };
  const server = createServer(
    {
      ...{ handshakeTimeout: HANDSHAKE_MS, keepAliveTimeout: KEEP_ALIVE_MS },
      ...{ headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: REQUEST_LOOK_MS },
    },
    application(decider, metrics),
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const bound = await listen(server, { port: config.ports.webhook }, CONNECTION_LIMITS);
  if (!bound.ok) return bound;

  const keeper = keepCertificates({ ...options, ...config, log });
  keeper.certificates.changed((certificates) => {
    if (certificates === undefined) return;
    server.setSecureContext(secureContext(certificates));
    metrics.serving(certificates);
  });
  return ok({
    port: bound.value.address?.port ?? config.ports.webhook,
    families: metrics.families,
    unready: () => keeper.trouble() ?? lacking,
    async stop() {
      isStopping = true;
      keeper.stop();
      await answered(server, clock);
      await bound.value.close();
    },
  });
}

function secureContext({ serving }: WebhookCertificates) {
  return { cert: serving.certificate, key: serving.privateKey, minVersion: 'TLSv1.2' } as const;
}

/** Settles when no request is under way any more, or a while has passed. */
function answered(server: Server, clock: Clock): Promise<void> {
  return new Promise((done) => {
    const cancel = clock.after(STOP_MS, done);
    server.close(() => {
      cancel();
      done();
    });
    server.closeIdleConnections();
  });
}

interface Decider extends WebhookOptions {
  /** What is not known yet, without which nothing can be decided. */
  lacking(): string | undefined;
  isStopping(): boolean;
}

function application(decider: Decider, metrics: WebhookMetrics): Express {
  const app = express();
  app.disable('x-powered-by');
  // Neither parsed nor inflated as it comes: a small body can be a large object.
  app.use(boundBodies(BODY_LIMITS), express.raw({ limit: BODY_LIMITS.bytesMax, type: () => true, inflate: false }));
  const serve = (path: string, webhook: WebhookName, judge: Judge) =>
    app.post(path, async (request, reply) => {
      const startedMs = decider.clock.elapsed();
      const judged = judgeReview(request, judge, decider);
      if (!judged.ok) {
        reply.status(400).type('text').send(`Invoke's webhook was sent what is ${judged.error}\n`);
        return;
      }
      const { about, needsTrustBundle } = judged.value;
      const decision = needsTrustBundle ? await withTrustBundle(judged.value, decider) : judged.value.decision;
      metrics.answered(webhook, decision.kind, decider.clock.elapsed() - startedMs);
      tell(decider.log.with({ webhook }), about, decision);
      // The API server would send the next request on the same connection.
      if (decider.isStopping()) reply.set('connection', 'close');
      reply.json(response(about.uid, decision));
    });
  serve(POD_WEBHOOK.path, 'pods', judgePod);
  serve(WORKLOAD_WEBHOOK.path, 'workloads', judgeWorkload);
  serve(VALIDATION_WEBHOOK.path, 'annotations', judgeAnnotations);
  app.use(unreadable);
  return app;
}

/** What is kept of a request while its answer has to wait: its object may be large, and there may be many. */
interface Judged {
  readonly about: {
    readonly uid: string;
    /** For messages. */
    readonly object: string;
    readonly namespace: Namespace;
    readonly dryRun: boolean;
  };
  readonly decision: Decision;
  readonly needsTrustBundle: boolean;
}

function judgeReview(request: Request, judge: Judge, decider: Decider): Result<Judged> {
  const body: unknown = request.body;
  request.body = undefined;
  // What is no JSON is no review, either.
  const json = parseJson(Buffer.isBuffer(body) ? body.toString('utf8') : '');
  const review = readReview(json.ok ? json.value : undefined);
  if (!review.ok) return review;
  const { uid, namespace, dryRun = false } = review.value;
  const decision = decide(review.value, judge, decider);
  return ok({
    about: { uid, object: nameOf(review.value), namespace, dryRun },
    decision,
    needsTrustBundle: judge === judgePod && decision.kind === 'patched' && !dryRun,
  });
}

function decide(request: AdmissionRequest, judge: Judge, decider: Decider): Decision {
  const lacking = decider.lacking();
  if (lacking !== undefined) return notYet(request, lacking);
  try {
    const policyOf = (namespace: Namespace) => decider.namespacePolicies.get(namespace);
    const endpointsOf = (namespace: Namespace) =>
      decider.httpEndpoints.all().filter(({ metadata }) => metadata.namespace === namespace);
    return judge(request, { config: decider.config, policyOf, endpointsOf });
  } catch (error) {
    const stack = error instanceof Error ? error.stack : String(error);
    decider.log.error('a bug: a request could not be judged', { uid: request.uid, object: nameOf(request), stack });
    return bugIn(request);
  }
}

/** The pod is let in all the same: it waits for the ConfigMap, and starts as soon as that is there. */
async function withTrustBundle({ about, decision }: Judged, decider: Decider): Promise<Decision> {
  const late = err(`it took longer than ${TRUST_BUNDLE_MS / 1000} s`);
  const ensured = await within(decider.clock, TRUST_BUNDLE_MS, decider.ensureTrustBundle(about.namespace), late);
  if (ensured.ok) return decision;
  decider.log.warn('a pod was let in without a trust bundle', { object: about.object, reason: ensured.error });
  return warned(decision, `the pod starts once the ConfigMap "${TRUST_BUNDLE}" is there: ${ensured.error}`);
}

function tell(log: Log, { object, uid, dryRun }: Judged['about'], decision: Decision): void {
  const fields = { object, uid, dryRun };
  if (decision.kind === 'refused') log.info('refused', { ...fields, reason: decision.message });
  else log.debug(decision.kind, fields);
}

/** What broke off, is longer than it said, or is packed: not from an API server. */
const unreadable: ErrorRequestHandler = (error: unknown, _request, reply, next) => {
  if (reply.headersSent) {
    next(error);
    return;
  }
  reply.status(400).type('text').send("Invoke's webhook cannot read this body; it reads plain JSON\n");
};
