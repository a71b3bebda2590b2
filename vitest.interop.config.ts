// Tests with other languages' programs, which are built first: minutes on a new machine, so they are no part of `npm test`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.interop.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 60_000,
    pool: 'forks',
    // One after the other: they wait for the same compiler.
    fileParallelism: false,
  },
});
