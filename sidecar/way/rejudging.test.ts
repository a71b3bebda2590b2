// What is open is judged again in slices, by what holds at that moment, and nobody is left out.
import { expect, test } from 'vitest';
import type { Call } from '../../api/call.ts';
import { closedRequest, type ReplyEnd } from '../../api/exchange.ts';
import { fault } from '../../api/fault.ts';
import { parseSpiffeId } from '../../api/ids.ts';
import { canonicalPath } from '../../api/path.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { Flights } from './flights.ts';
import { Rejudging } from './rejudging.ts';

const caller = must(parseSpiffeId('spiffe://cluster.local/ns/front/web'));
const noReply: ReplyEnd = { ...closedRequest, head: () => undefined };
const quiet = { began: () => undefined, tunnelOpened: () => undefined, ended: () => undefined };

function openFlights(count: number) {
  const flights = new Flights(manualClock(), quiet);
  const call = (number: number): Call => ({
    ...{ kind: 'http', target: caller, caller, method: 'GET', path: must(canonicalPath(`/${number}`)), query: '' },
    ...{ headers: [], bodyBytes: 0, deadlineMs: undefined, hops: 1 },
  });
  for (let i = 0; i < count; i++) flights.track('inbound', call(i), noReply, () => closedRequest);
  flights.track('outbound', call(-1), noReply, () => closedRequest);
  return flights;
}

const turn = () => new Promise((over) => setImmediate(over));

test('of thousands some have their turn at once, and the rest when the loop has been round', async () => {
  const flights = openFlights(5000);
  let judged = 0;
  const rejudging = new Rejudging(
    () => flights.open('inbound'),
    ({ path }) => {
      judged++;
      return Number(path.slice(1)) % 2 === 0 ? fault('denied', 'an even one') : undefined;
    },
  );
  rejudging.begin();
  expect(judged).toBeLessThan(1000);
  while (flights.open('inbound').length > 2500) await turn();
  while (judged < 5000) await turn();
  expect([judged, flights.open('inbound').length, flights.open('outbound').length]).toEqual([5000, 2500, 1]);
});

test('a change meanwhile leaves nobody out', async () => {
  const flights = openFlights(1000);
  let isClosed = false;
  const rejudging = new Rejudging(
    () => flights.open('inbound'),
    () => (isClosed ? fault('denied', 'all of them') : undefined),
  );
  rejudging.begin();
  await turn();
  isClosed = true;
  rejudging.begin();
  while (flights.open('inbound').length > 0) await turn();
});
