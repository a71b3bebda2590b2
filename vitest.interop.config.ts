// Tests with programs that others wrote. Some are built first: minutes on a new machine, so they are no part of `npm test`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.interop.ts'],
    exclude: ['**/node_modules/**'],
    globalSetup: ['scripts/interop-missing.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { interval: 5, timeout: 20_000 } },
    pool: 'forks',
    // One after the other: they wait for the same compiler.
    fileParallelism: false,
  },
});
