// Objects of our four kinds, good and bad: what the API server takes and what it refuses, and what our own reading says of
// the same. The unit tests go by them, and so does the suite that applies them to a real API server.
export { BAD_EXAMPLES, LATE_EXAMPLES } from './bad-examples.ts';
export { GOOD_EXAMPLES } from './good-examples.ts';
export type { BadExample, ExampleObject, GoodExample, LateExample } from './objects.ts';
