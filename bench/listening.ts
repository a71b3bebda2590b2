// Waiting for a server that was just started: until it takes connections, and until a call through it comes back.
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { sleep, systemClock } from '../kit/clock.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { frameMessage } from '../wire/grpc-frame.ts';
import type { Child } from './children.ts';
import { DENIED } from './pairs/armed.ts';
import { type Shape, speaksGrpc } from './pairs/pair.ts';

const LOOK_EVERY_MS = 1;
const PATIENCE_MS = 15_000;
const CALL_MS_MAX = 5000;

/** Settles with how long after its start the process took a connection. */
export async function untilListening(child: Child, port: number): Promise<Result<number>> {
  return untilTrue(child, `listen on port ${port}`, () => canConnect(port));
}

/** Settles with how long after the start of the process a call of this app through this port was answered. */
export async function untilAnswering(child: Child, port: number, shape: Shape, app: string): Promise<Result<number>> {
  let last = 'nothing was answered';
  const answered = await untilTrue(child, `carry a call to ${app}`, async () => {
    last = await (speaksGrpc(shape) ? callOverGrpc(port, app) : callOverHttp(port, app));
    return last === 'OK';
  });
  return answered.ok ? answered : err(`${answered.error}; the last answer: ${last}`);
}

/** That the rules are in effect: a call that they deny is denied, in the words of whoever denies it. */
export async function thatDenied(port: number, shape: Shape, app: string): Promise<Result<undefined>> {
  const { method, path, grpcPath } = DENIED;
  const said = await (speaksGrpc(shape) ? callOverGrpc(port, app, grpcPath) : callOverHttp(port, app, method, path));
  const isDenied = said.startsWith(speaksGrpc(shape) ? 'status 7' : '403 ');
  return isDenied ? ok(undefined) : err(`a call that its rules deny was not denied: ${said}`);
}

async function untilTrue(child: Child, what: string, look: () => Promise<boolean>): Promise<Result<number>> {
  const endMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endMs) {
    const death = child.death();
    if (death !== undefined) return err(death);
    if (await look()) return ok(performance.now() - child.startedMs);
    await sleep(systemClock, LOOK_EVERY_MS);
  }
  return err(`${child.name} did not ${what} within ${PATIENCE_MS / 1000} s`);
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}

/** OK, or what went wrong. */
function callOverHttp(port: number, app: string, method = 'POST', path = '/bytes/1'): Promise<string> {
  const headers = { 'dapr-app-id': app, 'content-length': 0 };
  return new Promise((done) => {
    const call = request({ port, host: '127.0.0.1', path, method, headers, agent: false });
    call.setTimeout(CALL_MS_MAX, () => call.destroy(new Error('no answer in time')));
    call.on('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      answer.on('end', () => done(answer.statusCode === 200 ? 'OK' : `${answer.statusCode} ${text.slice(0, 300)}`));
      answer.on('error', (error) => done(error.message));
    });
    call.on('error', (error) => done(error.message));
    call.end();
  });
}

/** OK, or what went wrong. */
function callOverGrpc(port: number, app: string, path = '/bench.Echo/Unary'): Promise<string> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const answered = new Promise<string>((done) => {
    session.on('error', (error) => done(error.message));
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      ...{ 'content-type': 'application/grpc', te: 'trailers', 'dapr-app-id': app, 'grpc-timeout': '5S' },
    });
    call.setTimeout(CALL_MS_MAX, () => done('no answer in time'));
    const outcome = (fields: { readonly [name: string]: unknown }) => {
      if (fields['grpc-status'] === '0') done('OK');
      else if (fields['grpc-status'] !== undefined) done(`status ${fields['grpc-status']}: ${fields['grpc-message']}`);
    };
    call.on('response', outcome);
    call.on('trailers', outcome);
    call.on('error', (error) => done(error.message));
    call.on('close', () => done('the stream ended without a status'));
    call.resume();
    call.end(frameMessage(Buffer.alloc(1)));
  });
  return answered.finally(() => session.destroy());
}
