// Ports for sidecars. Each is handed out once, and they lie below those that Linux gives to outgoing connections: with hundreds of
// sidecars that all connect to something, one of those would sooner or later be somebody's own.
import { createServer } from 'node:net';

const [FIRST, LAST] = [20_000, 32_000];
let next = FIRST + Math.floor(Math.random() * (LAST - FIRST));

export async function freePort(): Promise<number> {
  for (;;) {
    const port = next;
    next = next === LAST ? FIRST : next + 1;
    if (await isFree(port)) return port;
  }
}

/** On every address. */
function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.on('error', () => done(false));
    server.listen(port, () => server.close(() => done(true)));
  });
}
