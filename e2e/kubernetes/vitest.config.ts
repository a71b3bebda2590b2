// The suites on a real cluster: in the order of their numbers, one after the other, because they share it.
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

class ByNumber extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => a.moduleId.localeCompare(b.moduleId));
  }
}

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['suites/*.e2e.ts'],
    setupFiles: ['explain-failure.ts'],
    // Rollouts on a loaded machine: generous, because a limit is there to end a run that hangs.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    sequence: { sequencer: ByNumber },
    pool: 'forks',
  },
});
