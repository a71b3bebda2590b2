// Starting the two sidecars of a pair, in the order that makes the times tell something: the app's, and then the caller's.
import { ok, type Result } from '../../kit/result.ts';
import type { Child, Children, Command } from '../children.ts';
import { untilAnswering, untilListening } from '../listening.ts';
import type { RunningPair } from './pair.ts';

export interface Sidecar {
  readonly name: string;
  readonly command: Command;
  readonly port: number;
}

/** Or why they do not serve; then they are ended again. */
export async function startTwo(children: Children, server: Sidecar, client: Sidecar): Promise<Result<RunningPair>> {
  const started: Child[] = [];
  const running = await startInTurn(children, server, client, started);
  if (!running.ok) await Promise.all(started.map((child) => child.end()));
  return running;
}

async function startInTurn(
  children: Children,
  server: Sidecar,
  client: Sidecar,
  started: Child[],
): Promise<Result<RunningPair>> {
  const serverChild = children.start(server.name, server.command);
  if (!serverChild.ok) return serverChild;
  started.push(serverChild.value);
  const serverListens = await untilListening(serverChild.value, server.port);
  if (!serverListens.ok) return serverListens;
  const clientChild = children.start(client.name, client.command);
  if (!clientChild.ok) return clientChild;
  started.push(clientChild.value);
  const listening = await untilListening(clientChild.value, client.port);
  if (!listening.ok) return listening;
  const answering = await untilAnswering(clientChild.value, client.port);
  if (!answering.ok) return answering;
  const start = { listeningMs: listening.value, answeringMs: answering.value };
  return ok({ port: client.port, sidecars: [clientChild.value, serverChild.value], start });
}
