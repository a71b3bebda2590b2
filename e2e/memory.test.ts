// Large bodies pass through without being held: 256 MiB each way, with a reader that is slower than the writer.
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { machine, memory, type Program } from './machine.ts';

const MIB = 1024 * 1024;
const BODY_BYTES = 256 * MIB;
const GROWTH_BYTES_MAX = 80 * MIB;

/** Reads an upload in sips, or sends a download. */
const APP = `
  import { createServer } from 'node:http';
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  createServer(async (request, response) => {
    if (request.method === 'POST') {
      let bytes = 0;
      for await (const piece of request) {
        bytes += piece.length;
        await new Promise(setImmediate);
      }
      response.end(String(bytes));
      return;
    }
    response.writeHead(200, { 'content-length': ${BODY_BYTES} });
    for (let sent = 0; sent < ${BODY_BYTES}; sent += chunk.length) {
      if (!response.write(chunk)) await new Promise((done) => response.once('drain', done));
    }
    response.end();
  }).listen(process.env.APP_PORT, '127.0.0.1');
`;

async function upload(url: string): Promise<string> {
  const chunk = Buffer.alloc(MIB, 'x');
  return new Promise((done, failed) => {
    const call = request(url, { method: 'POST', headers: { 'content-length': BODY_BYTES } });
    call.on('error', failed);
    call.on('response', async (response) => done(Buffer.concat(await response.toArray()).toString()));
    let left = BODY_BYTES / MIB;
    const push = () => {
      while (left > 0) {
        left--;
        if (!call.write(chunk)) {
          call.once('drain', push);
          return;
        }
      }
      call.end();
    };
    push();
  });
}

async function download(url: string): Promise<number> {
  return new Promise((done, failed) => {
    const call = request(url, async (response) => {
      let bytes = 0;
      for await (const piece of response) {
        bytes += piece.length;
        await new Promise((resume) => setImmediate(resume));
      }
      done(bytes);
    });
    call.on('error', failed);
    call.end();
  });
}

function growth(programs: readonly Program[]) {
  const before = programs.map(({ sidecarPid }) => memory(sidecarPid).now);
  return () => programs.map(({ sidecarPid }, i) => memory(sidecarPid).peak - (before[i] ?? 0));
}

test('256 MiB up and 256 MiB down grow neither sidecar by more than 80 MiB', async () => {
  const laptop = machine();
  const caller = await laptop.sidecar('web', ['--max-body-size', '-1']);
  const callee = await laptop.run('big', APP, ['--max-body-size', '-1']);
  const url = `${caller.url}/v1.0/invoke/big/method/bytes`;
  const grown = growth([caller, callee]);

  expect(await upload(url)).toBe(String(BODY_BYTES));
  const afterUpload = grown();
  expect(await download(url)).toBe(BODY_BYTES);
  const afterBoth = grown();
  console.log(
    'growth in MiB after the upload and after both:',
    afterUpload.map((bytes) => Math.round(bytes / MIB)),
    afterBoth.map((bytes) => Math.round(bytes / MIB)),
  );
  for (const bytes of afterBoth) expect(bytes).toBeLessThan(GROWTH_BYTES_MAX);
}, 120_000);
