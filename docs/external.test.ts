// The examples of external.md are such as a sidecar takes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseExternalPattern } from '../api/external-pattern.ts';
import { loadResources } from '../sidecar/resources/load.ts';

const PAGE = readFileSync(join(import.meta.dirname, 'external.md'), 'utf8');

test('its resources can be loaded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'external-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const documents = [...PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);
  writeFileSync(join(folder, 'page.yaml'), documents.join('---\n'));
  const loaded = await loadResources([folder]);
  expect(loaded).toMatchObject({ ok: true, value: { ignored: [] } });
  expect(loaded.ok && loaded.value.endpoints.length).toBe(documents.length);
});

test('its entries for hosts are entries', () => {
  const table = /^\| Entry \| Allows \|$(.*?)^$/ms.exec(PAGE)?.[1] ?? '';
  const cells = [...table.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell);
  const entries = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, entry = '']) => entry));
  expect(entries.length).toBeGreaterThan(6);
  expect(entries.filter((entry) => !parseExternalPattern(entry).ok)).toEqual([]);
});
