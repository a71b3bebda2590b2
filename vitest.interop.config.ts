// Tests with programs that others wrote. Some are built first: minutes on a new machine, so they are no part of `npm test`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.interop.ts'],
    exclude: ['**/node_modules/**'],
    globalSetup: ['scripts/interop-missing.ts'],
    testTimeout: 60_000,
    // What is started for a group are several programs at once, each with its sidecar.
    hookTimeout: 120_000,
    expect: { poll: { interval: 5, timeout: 20_000 } },
    pool: 'forks',
    // One after the other: they wait for the same compiler.
    fileParallelism: false,
  },
});
