// Readers of what the specs of policies share: lists, names, patterns.
import { list, parsedBy, type Reader } from '../kit/record.ts';
import { err, ok } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';

/** Lists say whom or what a rule is about; one that is empty would be about nobody. `min` is 0 where that says something. */
export function items<T>(read: Reader<T>, min: 0 | 1 = 1): Reader<T[]> {
  return (value) => {
    const all = list(read)(value);
    if (!all.ok) return all;
    return all.value.length < min ? err('the list is empty') : ok([...all.value]);
  };
}

export function withDefault<T>(read: Reader<T>, initial: T): Reader<T> {
  return (value) => (value === undefined ? ok(initial) : read(value));
}

export function spelled(form: RegExp, what: string): Reader<string> {
  return parsedBy((text) => (form.test(text) ? ok(text) : err(`"${excerpt(text)}" is not ${what}`)));
}

export const PATTERN = spelled(/^[-a-z0-9*]{1,64}$/, 'a name or a pattern');
export const TRUST_DOMAIN = spelled(/^[-._a-z0-9]{1,255}$/, 'a trust domain');
