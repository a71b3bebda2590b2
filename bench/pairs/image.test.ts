// That our sidecars are run as their image runs them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import { readDockerfile } from './image.ts';

test('flags and variables are those of the Dockerfile', () => {
  const text = 'FROM x\nENV A=1 B="two words"\nENV C=3\nENTRYPOINT ["node", "--one", "--two=2", "/app/main.cjs"]\n';
  expect(readDockerfile(text)).toEqual({
    ok: true,
    value: { flags: ['--one', '--two=2'], env: { A: '1', B: 'two words', C: '3' } },
  });
});

test('our own Dockerfile can be read', () => {
  const text = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
  expect(must(readDockerfile(text)).env.NODE_ENV).toBe('production');
});

test('one that starts something else is refused', () => {
  expect(readDockerfile('FROM x\nENTRYPOINT ["sh", "-c", "node"]\n')).toMatchObject({ ok: false });
  expect(readDockerfile('FROM x\n')).toMatchObject({ ok: false });
});
