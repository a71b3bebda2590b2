// Starting the sidecars of a pair, in the order that makes the times tell something: the apps', and then the caller's.
import { ok, type Result } from '../../kit/result.ts';
import type { Child, Children, Command } from '../children.ts';
import { thatDenied, untilAnswering, untilListening } from '../listening.ts';
import { isArmed, type RunningPair, type Shape, TARGETS } from './pair.ts';

/** A process of one sidecar, or of several. */
export interface Sidecar {
  readonly name: string;
  readonly command: Command;
  /** The last that it listens on. */
  readonly port: number;
}

export interface Sidecars {
  readonly shape: Shape;
  /** The apps'. */
  readonly servers: readonly Sidecar[];
  /** The caller's. */
  readonly client: Sidecar;
}

/** Or why they do not serve; then they are ended again. */
export async function startSidecars(children: Children, sidecars: Sidecars): Promise<Result<RunningPair>> {
  const started: Child[] = [];
  const running = await startInTurn(children, sidecars, started);
  if (!running.ok) await Promise.all(started.map((child) => child.end()));
  return running;
}

async function startInTurn(
  children: Children,
  { shape, servers, client }: Sidecars,
  started: Child[],
): Promise<Result<RunningPair>> {
  for (const server of servers) {
    const listens = await startOne(children, server, started);
    if (!listens.ok) return listens;
  }
  const clientListens = await startOne(children, client, started);
  if (!clientListens.ok) return clientListens;
  const { child, listeningMs } = clientListens.value;
  let answeringMs: number | undefined;
  for (const target of TARGETS[shape]) {
    const answering = await untilAnswering(child, client.port, shape, target);
    if (!answering.ok) return answering;
    answeringMs ??= answering.value;
  }
  if (isArmed(shape)) {
    const denied = await thatDenied(client.port, shape, 'server');
    if (!denied.ok) return denied;
  }
  const start = { listeningMs, answeringMs: answeringMs ?? Number.NaN };
  return ok({ port: client.port, sidecars: [child, ...started.filter((one) => one !== child)], start });
}

async function startOne(children: Children, { name, command, port }: Sidecar, started: Child[]) {
  const child = children.start(name, command);
  if (!child.ok) return child;
  started.push(child.value);
  const listening = await untilListening(child.value, port);
  return listening.ok ? ok({ child: child.value, listeningMs: listening.value }) : listening;
}
