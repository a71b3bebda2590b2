// A token that has expired. The API server gives none for less than ten minutes, so the first suite asks for one and this one, near
// the end, waits for what is left.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expiringToken } from '../expiring-token.ts';
import { ensureInstalled } from '../installation.ts';
import { until } from '../kubectl.ts';
import { identityOf, openSentryTunnel, type SentryTunnel, sentryLog } from '../sentry.ts';

/** The API server takes a token for a minute more, for clocks that differ. */
const LEEWAY_MS = 65_000;

let sentry: SentryTunnel;

beforeAll(async () => {
  await ensureInstalled();
  sentry = await openSentryTunnel();
});

afterAll(() => sentry?.close());

test('a certificate is refused to an expired token, with an audit line', async () => {
  const { token, namespace, app, expiresMs } = await expiringToken();
  await new Promise((expired) => setTimeout(expired, Math.max(0, expiresMs + LEEWAY_MS - Date.now())));
  const outcome = await sentry.ask(token, identityOf(app, namespace));
  expect(outcome.ok ? 'a certificate' : outcome.error.message).toMatch(/token/);
  await until(
    'the audit line',
    async () => (await sentryLog()).split('\n').some((line) => /refused.*token/.test(line)),
    20_000,
  );
}, 800_000);
