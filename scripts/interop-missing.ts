// Says before the tests with other programs which of those are missing: their tests are skipped, which is easily overlooked.
import { isInstalled, SDKS } from '../e2e/sdks/installed.ts';
import { findProgram, PROGRAMS } from '../wire/testing/programs.ts';

export default function setUp(): void {
  const programs = PROGRAMS.filter((name) => findProgram(name) === undefined);
  const sdks = SDKS.filter((sdk) => !isInstalled(sdk)).map((sdk) => sdk.name);
  const missing = [...programs, ...sdks];
  if (missing.length === 0) return;
  console.warn(
    `Tests with ${missing.join(', ')} are skipped: not installed. \`npm run interop:tools\` gets what it can.`,
  );
}
