// The app behind every pair, a process of its own: the cheapest thing that answers. `POST /bytes/1024` is answered with 1024
// bytes, whatever the request held. It says on its standard output, as a line of JSON, where it listens.
import { createServer } from 'node:net';
import { portOf } from '../kit/testing/ports.ts';
import { MessageReader } from './message-reader.ts';

const answers = new Map<string, Buffer>();

function answerTo(startLine: string): Buffer {
  const known = answers.get(startLine);
  if (known !== undefined) return known;
  const bytes = Number(/^\w+ \/bytes\/(\d+) /.exec(startLine)?.[1]);
  const [status, length] = Number.isNaN(bytes) ? ['404 Not Found', 0] : ['200 OK', bytes];
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/octet-stream\r\ncontent-length: ${length}\r\n\r\n`;
  const answer = Buffer.concat([Buffer.from(head), Buffer.alloc(length, 'a')]);
  answers.set(startLine, answer);
  return answer;
}

const server = createServer({ noDelay: true }, (socket) => {
  const reader = new MessageReader(({ startLine }) => socket.write(answerTo(startLine)));
  socket.on('data', (chunk: Buffer) => reader.push(chunk));
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', 4096, () => process.stdout.write(`${JSON.stringify({ port: portOf(server) })}\n`));
// Whoever started it is gone when its input ends.
process.stdin.resume().on('end', () => process.exit());
