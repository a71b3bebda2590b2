// The sentry as a stranger with a token meets it: from outside of the cluster, through kubectl's tunnel.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Identity, parseAppId, parseNamespace, parseTrustDomain } from '../../api/ids.ts';
import { requestCertificate, type SentryFailure } from '../../identity/sentry-client.ts';
import type { Credentials } from '../../identity/svid.ts';
import { systemClock } from '../../kit/clock.ts';
import { must, type Result } from '../../kit/result.ts';
import { CONTROL_PLANE } from './installation.ts';
import { kubectl } from './kubectl.ts';

const AUDIENCE = `spiffe://cluster.local/ns/${CONTROL_PLANE}/invoke-sentry`;

export interface SentryTunnel {
  /** What the sentry says to whoever brings this token and asks for that identity. */
  ask(token: string, wanted: Identity): Promise<Result<Credentials, SentryFailure>>;
  /** To a replica that is chosen anew. */
  reopen(): Promise<void>;
  close(): void;
}

export async function openSentryTunnel(): Promise<SentryTunnel> {
  const folder = mkdtempSync(join(tmpdir(), 'e2e-sentry-'));
  const trustAnchorsFile = join(folder, 'anchors');
  const tokenFile = join(folder, 'token');
  const bundle = ['get', 'configmap', 'invoke-trust-bundle', '-n', CONTROL_PLANE];
  writeFileSync(trustAnchorsFile, await kubectl(...bundle, '-o', 'jsonpath={.data.trust-anchors\\.crt}'));
  let forwarding = await forward();
  return {
    ask(token, wanted) {
      writeFileSync(tokenFile, token);
      const sentryNamespace = must(parseNamespace(CONTROL_PLANE));
      const proof = { trustAnchorsFile, tokenFile, tokenKind: 'kubernetes', sentryNamespace } as const;
      const endpoint = { kind: 'tls', host: '127.0.0.1', port: forwarding.port, ...proof } as const;
      const options = { clock: systemClock, timeoutMs: 10_000 };
      return new Promise((settle) => void requestCertificate(endpoint, wanted, options, settle));
    },
    async reopen() {
      forwarding.child.kill();
      forwarding = await forward();
    },
    close() {
      forwarding.child.kill();
      rmSync(folder, { recursive: true });
    },
  };
}

/** To the sentry, which proves itself by its certificate, whatever the address. */
function forward(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn('kubectl', ['port-forward', '-n', CONTROL_PLANE, 'service/invoke-sentry', ':50001']);
  return new Promise((settle, fail) => {
    child.once('exit', () => fail(new Error('kubectl port-forward ended')));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const found = /127\.0\.0\.1:(\d+)/.exec(text);
      if (found) settle({ child, port: Number(found[1]) });
    });
  });
}

export function identityOf(app: string, where: string): Identity {
  const trustDomain = must(parseTrustDomain('cluster.local'));
  return { app: must(parseAppId(app)), namespace: must(parseNamespace(where)), trustDomain };
}

/** A token for the sentry, of a pod that runs as the namespace's `default`; `more` are flags of kubectl. */
export async function tokenOf(pod: string, where: string, ...more: readonly string[]): Promise<string> {
  const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', pod, '--audience', AUDIENCE];
  return (await kubectl('create', 'token', 'default', '-n', where, ...bound, ...more)).trim();
}

/** Bound to no pod. */
export async function looseToken(where: string): Promise<string> {
  return (await kubectl('create', 'token', 'default', '-n', where, '--audience', AUDIENCE)).trim();
}

export function sentryLog(): Promise<string> {
  return kubectl('logs', '-n', CONTROL_PLANE, '-l', 'app.kubernetes.io/name=invoke-sentry', '--tail=200');
}
