// Verbs that people write.
import { expect, test } from 'vitest';
import { isKnownVerb, parseVerb } from './verb.ts';

test('a slip is told with what was meant, and a tunnel is none', () => {
  expect(parseVerb('DELETE')).toEqual({ ok: true, value: 'DELETE' });
  expect(parseVerb('DELET')).toMatchObject({ error: 'no sidecar passes on the verb "DELET"; did you mean DELETE?' });
  expect(parseVerb('GTE')).toMatchObject({ error: expect.stringContaining('did you mean GET?') });
  expect(parseVerb('FROBNICATE')).toMatchObject({
    error: expect.stringMatching(/; write one that HTTP has, such as GET$/),
  });
  expect(isKnownVerb('CONNECT')).toBe(false);
});
