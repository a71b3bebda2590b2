// Waiting for a server that was just started: until it takes connections, and until a call through it comes back.
import { request } from 'node:http';
import { connect } from 'node:net';
import { sleep, systemClock } from '../kit/clock.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { Child } from './children.ts';

const LOOK_EVERY_MS = 1;
const PATIENCE_MS = 15_000;

/** Settles with how long after its start the process took a connection. */
export async function untilListening(child: Child, port: number): Promise<Result<number>> {
  return untilTrue(child, `listen on port ${port}`, () => canConnect(port));
}

/** Settles with how long after the start of the process a call to this port was answered with 200. */
export async function untilAnswering(child: Child, port: number): Promise<Result<number>> {
  let last = 'nothing was answered';
  const answered = await untilTrue(child, 'carry a call', async () => {
    last = await callOnce(port);
    return last === '200';
  });
  return answered.ok ? answered : err(`${answered.error}; the last answer: ${last}`);
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

/** The status, or what went wrong. */
function callOnce(port: number): Promise<string> {
  const headers = { 'dapr-app-id': 'server', 'content-length': 0 };
  return new Promise((done) => {
    const call = request({ port, host: '127.0.0.1', path: '/bytes/1', method: 'POST', headers, agent: false });
    call.on('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      answer.on('end', () => done(answer.statusCode === 200 ? '200' : `${answer.statusCode} ${text.slice(0, 300)}`));
      answer.on('error', (error) => done(error.message));
    });
    call.on('error', (error) => done(error.message));
    call.end();
  });
}
