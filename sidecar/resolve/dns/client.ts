// Asking the name servers of this machine, one after the other, until one of them knows or time is up.
import { randomInt } from 'node:crypto';
import { type Clock, sleep } from '../../../kit/clock.ts';
import { err, type Result } from '../../../kit/result.ts';
import { exchange, type Known } from './exchange.ts';
import type { Question } from './message.ts';
import type { NameServer } from './resolv-conf.ts';

export interface DnsClient {
  /** Or a sentence that says whom it has asked and why nobody could tell. `endMs` is a time of the clock's `elapsed`. */
  ask(question: Question, endMs: number): Promise<Result<Known>>;
}

export interface DnsClientOptions {
  readonly servers: () => readonly NameServer[];
  readonly clock: Clock;
}

/** A server that is there answers within milliseconds. */
const TRY_MS = 1000;
/** Between two rounds over all servers: one that refuses at once may be just starting. */
const ROUND_PAUSE_MS = 200;

export function openDnsClient({ servers, clock }: DnsClientOptions): DnsClient {
  return {
    async ask(question, endMs) {
      let why = 'there is no nameserver in /etc/resolv.conf';
      for (;;) {
        for (const server of servers()) {
          const timeoutMs = Math.min(TRY_MS, endMs - clock.elapsed());
          if (timeoutMs <= 0) return err(why);
          const known = await exchange(server, { ...question, id: randomInt(0x10000) }, timeoutMs, clock);
          if (known.ok) return known;
          why = `the name server ${server.host} cannot tell: ${known.error}`;
        }
        if (clock.elapsed() + ROUND_PAUSE_MS >= endMs) return err(why);
        await sleep(clock, ROUND_PAUSE_MS);
      }
    },
  };
}
