// Where the tests are and how they run: unit tests beside their file, end-to-end suites in e2e/.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    // For tests that start programs, on a machine that has much else to do.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // All of them: the default leaves one core idle, which on a machine with two is half of it.
    maxWorkers: '100%',
    // A busy machine takes its time: what is waited for is the event, and not a second.
    expect: { poll: { interval: 5, timeout: 20_000 } },
  },
});
