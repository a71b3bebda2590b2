// Prints what each scenario comes to under each policy: `npm run simulate`, or `npm run simulate -- <seconds> <seed>`.
import { argv, exit } from 'node:process';
import { POLICIES, type PolicyName } from './policies.ts';
import { run } from './run.ts';
import { SCENARIOS } from './scenarios.ts';

const [seconds = 60, seed = 1] = argv.slice(2).map(Number);
if (!(seconds >= 5 && Number.isInteger(seed))) {
  console.error('give the seconds that each run takes on its own clock, 5 at least, and a whole number as the seed');
  exit(2);
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`.padStart(9);
const ms = (value: number) => `${value.toFixed(1)} ms`.padStart(11);

for (const scenario of Object.values(SCENARIOS)) {
  console.log(`\n${scenario.name}: ${scenario.says}`);
  console.log(`  ${''.padEnd(42)}success    at the end        p50         p99   amplification`);
  for (const policy of Object.keys(POLICIES) as PolicyName[]) {
    const came = run(scenario, policy, { seconds, seed });
    console.log(
      `  ${policy.padEnd(40)}${percent(came.successRate)}     ${percent(came.successRateAtTheEnd)}` +
        `${ms(came.p50Ms)} ${ms(came.p99Ms)}            ${came.amplification.toFixed(3)}`,
    );
  }
}
