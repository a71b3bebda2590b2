// Says before the tests with other programs which of those are missing: their tests are skipped, which is easily overlooked.
import { isInstalled, LIBRARIES } from '../e2e/sdks/installed.ts';
import { findProgram, PROGRAMS } from '../wire/testing/programs.ts';

export default function setUp(): void {
  const programs = PROGRAMS.filter((name) => findProgram(name) === undefined);
  const libraries = LIBRARIES.filter((one) => !isInstalled(one)).map(({ name }) => name);
  const missing = [...programs, ...libraries];
  if (missing.length === 0) return;
  console.warn(
    `Tests with ${missing.join(', ')} are skipped: not installed. \`npm run interop:tools\` gets what it can.`,
  );
}
