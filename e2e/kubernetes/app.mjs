// The app of the suites, mounted into pods from a ConfigMap: it answers calls, and makes them when a suite asks for it.
//
// Two servers: the app itself on 127.0.0.1, reached by its sidecar alone (OPEN_HOST moves it, for pods without a sidecar),
// and a control port that the suites reach through the API server's pod proxy. Plain JavaScript and nothing installed.
import { Agent, createServer, request } from 'node:http';

const { APP_PORT = '8080', CONTROL_PORT = '9000', INVOKE_HTTP_PORT = '3500', HOSTNAME = '' } = process.env;
const { APP_HOST = '127.0.0.1', LISTEN_AFTER_MS = '0', LINGER_MS = '0', DAPR_API_TOKEN } = process.env;

/** Calls that have come in, answered or not; read by suites. */
let served = 0;
/** How much longer each answer takes, as a suite wants it. */
let slowMs = 0;

const app = createServer((incoming, outgoing) => {
  served++;
  const url = new URL(incoming.url, 'http://app');
  const breaks = url.searchParams.has('breaks');
  const answer = () => {
    const status = Number(url.searchParams.get('status') ?? 200);
    outgoing.writeHead(status, { 'content-type': 'application/json' });
    outgoing.end(
      JSON.stringify({ pod: HOSTNAME, method: incoming.method, url: incoming.url, headers: incoming.headers }),
    );
  };
  incoming.resume();
  incoming.on('end', () => {
    if (breaks) return incoming.socket.destroy();
    setTimeout(answer, slowMs + Number(url.searchParams.get('afterMs') ?? 0));
  });
});
setTimeout(() => app.listen(Number(APP_PORT), APP_HOST), Number(LISTEN_AFTER_MS));

/** One call through the sidecar, as a plain HTTP program makes it: on a connection of its own, unless an agent keeps some. */
function call(path, method = 'GET', body = undefined, agent = false) {
  return new Promise((settle) => {
    const headers = DAPR_API_TOKEN === undefined ? {} : { 'dapr-api-token': DAPR_API_TOKEN };
    const outgoing = request({
      host: '127.0.0.1',
      port: Number(INVOKE_HTTP_PORT),
      path,
      method,
      headers,
      agent,
    });
    outgoing.on('error', (error) => settle({ status: 0, headers: {}, body: String(error) }));
    outgoing.on('response', (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      incoming.on('error', (error) => settle({ status: 0, headers: {}, body: String(error) }));
      incoming.on('end', () => settle({ status: incoming.statusCode, headers: incoming.headers, body: text }));
    });
    outgoing.end(body);
  });
}

/**
 * A load: calls at a rate, on connections that are kept, whatever becomes of the calls before them. Where it falls behind, as on
 * a busy machine, it does not make up for that all at once.
 */
const TICK_MS = 10;
const IN_FLIGHT_MAX = 2000;
/** As a program would have it: without a limit, a busy machine would see one more connection for each call that waits. */
const CONNECTIONS_MAX = 64;
const TOLD_MAX = 50;
const SLOWEST_MAX = 10;
const BURST_MAX = 20;

class Load {
  on = true;
  made = 0;
  ok = 0;
  inFlight = 0;
  /** Of calls that failed, the first so many, and how many there were. */
  failed = [];
  failures = 0;
  /** Of those that went well, the slowest first. */
  slowest = [];
  /** By pod: how many it answered, and when it last did. */
  answered = {};
  lastSeen = {};
  /** Those that were opened. */
  connections = 0;
  #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });

  constructor(path, perSecond, method) {
    const connect = this.#agent.createConnection;
    this.#agent.createConnection = (...given) => {
      this.connections++;
      return connect.apply(this.#agent, given);
    };
    let lastMs = performance.now();
    let due = 0;
    this.ticking = setInterval(() => {
      const nowMs = performance.now();
      due = Math.min(due + ((nowMs - lastMs) * perSecond) / 1000, BURST_MAX);
      lastMs = nowMs;
      for (; due >= 1 && this.inFlight < IN_FLIGHT_MAX; due--) void this.#one(path, method);
    }, TICK_MS);
  }

  async #one(path, method) {
    const startedMs = performance.now();
    this.made++;
    this.inFlight++;
    const { status, body, headers } = await call(path, method, method === 'GET' ? undefined : 'an order', this.#agent);
    this.inFlight--;
    const tookMs = Math.round(performance.now() - startedMs);
    const at = new Date().toISOString();
    if (status !== 200) {
      this.failures++;
      if (this.failed.length < TOLD_MAX)
        this.failed.push({ at, tookMs, status, fault: headers['invoke-fault'], body: body.slice(0, 400) });
      return;
    }
    const { pod } = JSON.parse(body);
    this.slowest.push({ at, tookMs, pod });
    this.slowest = this.slowest.toSorted((a, b) => b.tookMs - a.tookMs).slice(0, SLOWEST_MAX);
    this.ok++;
    this.answered[pod] = (this.answered[pod] ?? 0) + 1;
    this.lastSeen[pod] = Date.now();
  }

  /** Once all that were made have ended. */
  async stop() {
    this.on = false;
    clearInterval(this.ticking);
    while (this.inFlight > 0) await new Promise((again) => setTimeout(again, TICK_MS));
    this.#agent.destroy();
  }

  toJSON() {
    const { ticking, ...told } = this;
    return { ...told, nowMs: Date.now() };
  }
}

/** The one that a suite has started last. */
let load;

const control = createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url, 'http://control');
  const ask = url.searchParams;
  const reply = (value) => outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  switch (url.pathname) {
    case '/call':
      return reply(await call(ask.get('path'), ask.get('method') ?? 'GET', ask.get('body') ?? undefined));
    case '/load/start':
      await load?.stop();
      load = new Load(ask.get('path'), Number(ask.get('perSecond') ?? 100), ask.get('method') ?? 'GET');
      return reply({});
    case '/load/stop':
      await load.stop();
      return reply(load);
    case '/load':
      return reply(load);
    case '/served':
      return reply({ served });
    case '/slow':
      slowMs = Number(ask.get('ms'));
      return reply({});
    default:
      return outgoing.writeHead(404).end();
  }
});
control.listen(Number(CONTROL_PORT), '::');

// As a well-behaved app: what is under way is finished. With LINGER_MS it goes on calling others meanwhile, and says how
// that went on its standard output, which is there when nothing else can be asked any more.
process.on('SIGTERM', async () => {
  const endMs = Date.now() + Number(LINGER_MS);
  const tally = {};
  while (Date.now() < endMs && process.env.LINGER_PATH !== undefined) {
    const { status } = await call(process.env.LINGER_PATH);
    tally[status] = (tally[status] ?? 0) + 1;
    await new Promise((go) => setTimeout(go, 50));
  }
  console.log(JSON.stringify({ lingered: tally }));
  app.close(() => process.exit(0));
  app.closeIdleConnections();
  setTimeout(() => process.exit(0), 20_000);
});

// A program that does one thing and ends: a Job, or an init container.
if (process.env.CALL_ONCE !== undefined) {
  const { status, body } = await call(process.env.CALL_ONCE);
  console.log(JSON.stringify({ calledOnce: status, body }));
  process.exit(status === 200 ? 0 : 1);
}
