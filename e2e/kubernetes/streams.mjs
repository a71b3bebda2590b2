// Another app of the suites, for what lasts: it serves server-sent events and WebSocket, or (APP_SPEAKS=grpc) gRPC, and it opens
// such streams and makes gRPC calls when a suite asks for it. Plain JavaScript and nothing installed, so gRPC is by hand here:
// a message has five bytes before it, and what is said in one is text, or protobuf of short fields.
import { createHash } from 'node:crypto';
import { Agent, createServer, request } from 'node:http';
import http2 from 'node:http2';

const { APP_PORT = '8080', APP_SPEAKS = 'http', CONTROL_PORT = '9000', HOSTNAME = '' } = process.env;
const { INVOKE_HTTP_PORT = '3500', INVOKE_GRPC_PORT = '50001' } = process.env;
const GRPC = { 'content-type': 'application/grpc' };
const ON_INVOKE = '/dapr.proto.runtime.v1.AppCallback/OnInvoke';

// The app.

function httpApp() {
  const server = createServer((request, response) => {
    if (request.url !== '/events') return response.end(HOSTNAME);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let count = 0;
    const tell = setInterval(() => response.write(`data: ${HOSTNAME} ${count++}\n\n`), 50);
    request.on('close', () => clearInterval(tell));
  });
  server.on('upgrade', (request, socket) => {
    const magic = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(magic).digest('base64');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n');
    socket.write(`sec-websocket-accept: ${accept}\r\n\r\n`);
    socket.on('error', () => undefined);
    const who = `${HOSTNAME} ${request.headers['dapr-caller-app-id']}.${request.headers['dapr-caller-namespace']}`;
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      // Of a client: two bytes with the length, four of the mask, and the text, which the suites keep short.
      while (rest.length >= 6 && rest.length >= 6 + (rest[1] & 127)) {
        const length = rest[1] & 127;
        const isText = (rest[0] & 15) === 1;
        const mask = rest.subarray(2, 6);
        const text = Buffer.from(rest.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]));
        rest = rest.subarray(6 + length);
        if (!isText) return socket.end(Buffer.from([0x88, 0]));
        const answer = Buffer.from(`${who} ${text}`);
        socket.write(Buffer.concat([Buffer.from([0x81, answer.length]), answer]));
      }
    });
  });
  return server;
}

function grpcApp() {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    const who = `${HOSTNAME} ${headers['dapr-caller-app-id']}.${headers['dapr-caller-namespace']}`;
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, ...GRPC }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    const isInvoked = headers[':path'] === ON_INVOKE;
    eachMessage(stream, (message) => {
      const answer = Buffer.from(`${who} ${isInvoked ? fieldOf(message, 1) : message}`);
      stream.write(framed(isInvoked ? Buffer.concat([field(1, field(2, answer)), field(2, 'text/plain')]) : answer));
    });
    stream.on('end', () => stream.end());
  });
  return server;
}

const app = APP_SPEAKS === 'grpc' ? grpcApp() : httpApp();
app.listen(Number(APP_PORT), '127.0.0.1');

// What the suites ask for. A stream has a name, and remembers what it heard and whether it has ended.

const streams = new Map();

function remember(name, say, close) {
  const stream = { heard: [], count: 0, ended: undefined, endedMs: undefined, say, close };
  streams.set(name, stream);
  return {
    hears(text) {
      stream.count++;
      stream.heard.push(String(text));
      stream.heard.splice(0, stream.heard.length - 20);
    },
    ends(why) {
      if (stream.ended !== undefined) return;
      stream.ended = String(why);
      stream.endedMs = Date.now();
    },
  };
}

const opens = {
  async events(name, target) {
    const giveUp = new AbortController();
    const { hears, ends } = remember(name, undefined, () => giveUp.abort());
    const url = `http://127.0.0.1:${INVOKE_HTTP_PORT}/v1.0/invoke/${target}/method/events`;
    const response = await fetch(url, { signal: giveUp.signal, headers: { accept: 'text/event-stream' } });
    if (response.status !== 200) return ends(`${response.status} ${await response.text()}`);
    void (async () => {
      for await (const chunk of response.body) hears(Buffer.from(chunk).toString().trim());
      ends('the end');
    })().catch(ends);
  },
  async socket(name, target) {
    const socket = new WebSocket(`ws://127.0.0.1:${INVOKE_HTTP_PORT}/v1.0/invoke/${target}/method/socket`);
    const { hears, ends } = remember(
      name,
      (text) => socket.send(text),
      () => socket.close(),
    );
    socket.onmessage = ({ data }) => hears(data);
    socket.onclose = ({ code, reason }) => ends(`${code} ${reason}`);
    await new Promise((done) => {
      socket.onopen = done;
      socket.onerror = ({ message }) => done(ends(message));
    });
  },
  /** GETs of /calls, one after the other on one connection, until one is not answered with 200. */
  async calls(name, target) {
    let isWanted = true;
    const { hears, ends } = remember(name, undefined, () => {
      isWanted = false;
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set();
    void (async () => {
      for (;;) {
        const { status, answer, socket } = await callHttp('GET', target, '/calls', {}, agent);
        sockets.add(socket);
        if (!isWanted) return ends('enough');
        if (status !== '200') return ends(`${status} ${answer}`);
        hears(`${status} over connection ${sockets.size}`);
        await new Promise((again) => setTimeout(again, 10));
      }
    })().finally(() => agent.destroy());
  },
  async talk(name, target) {
    const stream = openGrpc('/shop.v1.Orders/Talk', { 'dapr-app-id': target });
    const { hears, ends } = remember(
      name,
      (text) => stream.write(framed(text)),
      () => stream.end(),
    );
    eachMessage(stream, hears);
    stream.on('trailers', ({ 'grpc-status': status, 'grpc-message': message = '' }) => ends(`${status} ${message}`));
    stream.on('error', ends);
    stream.on('close', () => ends('closed'));
  },
};

/** On a connection of its own. */
function openGrpc(path, headers) {
  const session = http2.connect(`http://127.0.0.1:${INVOKE_GRPC_PORT}`);
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'POST', ':path': path, te: 'trailers', ...GRPC, ...headers });
  stream.on('close', () => session.close());
  return stream;
}

/** One message each way. */
function callGrpc(path, headers, message) {
  const stream = openGrpc(path, headers);
  stream.end(framed(message));
  let answer = Buffer.alloc(0);
  eachMessage(stream, (heard) => {
    answer = heard;
  });
  return new Promise((done) => {
    const told = (fields) => {
      if (fields['grpc-status'] === undefined) return;
      done({ status: fields['grpc-status'], message: fields['grpc-message'] ?? '', answer });
    };
    stream.on('response', told);
    stream.on('trailers', told);
    stream.on('error', (error) => done({ status: '14', message: String(error), answer }));
  });
}

async function post(target, method, body) {
  const url = `http://127.0.0.1:${INVOKE_HTTP_PORT}/v1.0/invoke/${target}/method/${method}`;
  const response = await fetch(url, { method: 'POST', body });
  return { status: String(response.status), message: '', answer: await response.text() };
}

function callHttp(method, target, path, fields = {}, agent = undefined) {
  return new Promise((done) => {
    const where = { host: '127.0.0.1', port: Number(INVOKE_HTTP_PORT), path, method, agent };
    const outgoing = request({ ...where, headers: { 'dapr-app-id': target, ...fields } });
    outgoing.on('error', (error) => done({ status: '0', message: '', answer: String(error) }));
    outgoing.on('response', async (incoming) => {
      const { socket } = outgoing;
      const chunks = await incoming.toArray().catch((error) => [Buffer.from(String(error))]);
      done({ status: String(incoming.statusCode), message: '', answer: Buffer.concat(chunks), socket });
    });
    outgoing.end();
  });
}

async function invokeService(target, method, text) {
  const request = Buffer.concat([field(1, method), field(2, field(2, text)), field(3, 'text/plain')]);
  const message = Buffer.concat([field(1, target), field(3, request)]);
  const outcome = await callGrpc('/dapr.proto.runtime.v1.Dapr/InvokeService', {}, message);
  return { ...outcome, answer: fieldOf(fieldOf(outcome.answer, 1), 2) };
}

const control = createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url, 'http://control');
  const { name, kind, target, text = '', method, path, claims } = Object.fromEntries(url.searchParams);
  const reply = (value) => outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const told = ({ status, message, answer }) => reply({ status, message, answer: answer.toString() });
  switch (url.pathname) {
    case '/open':
      await opens[kind](name, target);
      return reply({});
    case '/say':
      streams.get(name).say(text);
      return reply({});
    case '/close':
      streams.get(name).close();
      return reply({});
    case '/stream':
      return reply({ ...streams.get(name) });
    case '/post':
      return reply(await post(target, method, text));
    case '/http':
      return told(await callHttp(method, target, path, claims === undefined ? {} : { 'dapr-caller-app-id': claims }));
    case '/call':
      return told(await callGrpc('/shop.v1.Orders/Echo', { 'dapr-app-id': target }, text));
    case '/invoke-service':
      return told(await invokeService(target, method, text));
    default:
      return outgoing.writeHead(404).end();
  }
});
control.listen(Number(CONTROL_PORT), '::');

process.on('SIGTERM', () => process.exit(0));

// gRPC and protobuf, as much as that takes.

function framed(message) {
  const bytes = Buffer.from(message);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function eachMessage(stream, take) {
  let rest = Buffer.alloc(0);
  stream.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      take(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
  });
}

/** Of bytes or text, shorter than 16 KiB. */
function field(number, value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, (bytes.length & 127) | 128, bytes.length >> 7]), bytes]);
}

/** The first field of that number, where all fields are bytes or small numbers. */
function fieldOf(message, wanted) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const value = varint();
    if ((key & 7) !== 2) continue;
    if (key >> 3 === wanted) return message.subarray(at, at + value);
    at += value;
  }
  return Buffer.alloc(0);
}
