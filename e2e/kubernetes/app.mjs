// The app of the suites, mounted into pods from a ConfigMap: it answers calls, and makes them when a suite asks for it.
//
// Two servers: the app itself on 127.0.0.1, reached by its sidecar alone (OPEN_HOST moves it, for pods without a sidecar),
// and a control port that the suites reach through the API server's pod proxy. Plain JavaScript and nothing installed.
import { createServer, request } from 'node:http';

const { APP_PORT = '8080', CONTROL_PORT = '9000', INVOKE_HTTP_PORT = '3500', HOSTNAME = '' } = process.env;
const { APP_HOST = '127.0.0.1', LISTEN_AFTER_MS = '0', LINGER_MS = '0', DAPR_API_TOKEN } = process.env;

/** Calls that have come in, answered or not; read by suites. */
let served = 0;

const app = createServer((incoming, outgoing) => {
  served++;
  const url = new URL(incoming.url, 'http://app');
  const answer = () => {
    const status = Number(url.searchParams.get('status') ?? 200);
    outgoing.writeHead(status, { 'content-type': 'application/json' });
    outgoing.end(
      JSON.stringify({ pod: HOSTNAME, method: incoming.method, url: incoming.url, headers: incoming.headers }),
    );
  };
  incoming.resume();
  incoming.on('end', () => setTimeout(answer, Number(url.searchParams.get('afterMs') ?? 0)));
});
setTimeout(() => app.listen(Number(APP_PORT), APP_HOST), Number(LISTEN_AFTER_MS));

/** One call through the sidecar, as a plain HTTP program makes it. */
function call(path, method = 'GET', body = undefined) {
  return new Promise((settle) => {
    const headers = DAPR_API_TOKEN === undefined ? {} : { 'dapr-api-token': DAPR_API_TOKEN };
    const outgoing = request({
      host: '127.0.0.1',
      port: Number(INVOKE_HTTP_PORT),
      path,
      method,
      headers,
      agent: false,
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

/** A steady stream of calls: `lanes` at a time, each pausing between two. */
let load = { on: false, ok: 0, failed: [], lastSeen: {} };

function startLoad(path, lanes, pauseMs, method) {
  load = { on: true, ok: 0, failed: [], lastSeen: {} };
  const mine = load;
  const lane = async () => {
    while (mine.on) {
      const startedMs = Date.now();
      const { status, body, headers } = await call(path, method, method === 'GET' ? undefined : 'an order');
      if (status === 200) {
        mine.ok++;
        mine.lastSeen[JSON.parse(body).pod] = Date.now();
      } else if (mine.failed.length < 50) {
        const at = new Date().toISOString();
        mine.failed.push({
          at,
          tookMs: Date.now() - startedMs,
          status,
          fault: headers['invoke-fault'],
          body: body.slice(0, 400),
        });
      }
      await new Promise((go) => setTimeout(go, pauseMs));
    }
  };
  for (let i = 0; i < lanes; i++) void lane();
}

const control = createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url, 'http://control');
  const ask = url.searchParams;
  const reply = (value) => outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  switch (url.pathname) {
    case '/call':
      return reply(await call(ask.get('path'), ask.get('method') ?? 'GET', ask.get('body') ?? undefined));
    case '/load/start':
      startLoad(
        ask.get('path'),
        Number(ask.get('lanes') ?? 4),
        Number(ask.get('pauseMs') ?? 10),
        ask.get('method') ?? 'GET',
      );
      return reply({});
    case '/load/stop':
      load.on = false;
      return reply(load);
    case '/load':
      return reply({ ...load, nowMs: Date.now() });
    case '/served':
      return reply({ served });
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
