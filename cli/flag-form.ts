// Reading flags one by one, and gathering what is wrong with them.
import type { Result } from '../kit/result.ts';
import { FLAGS, type FlagName, type RawFlags } from './flag-table.ts';

/** The flags under reading, and what is wrong with them so far. */
export interface Form {
  readonly mistakes: readonly string[];
  /** What is worth knowing, and stands in nobody's way. */
  readonly remarks: readonly string[];
  mistake(sentence: string): void;
  remark(sentence: string): void;
  /** Of a switch: whether it is on. */
  isGiven(name: FlagName): boolean;
  /** The last value given; undefined when none was, or when it is a mistake. */
  read<T>(name: FlagName, parse: (text: string, flag: string) => Result<T>): T | undefined;
  readAll<T>(name: FlagName, parse: (text: string) => Result<T>): readonly T[];
}

export function openForm(raw: RawFlags): Form {
  const mistakes: string[] = [];
  const remarks: string[] = [];
  const mistake = (sentence: string) => mistakes.push(sentence);
  return {
    mistakes,
    remarks,
    mistake,
    remark: (sentence) => void remarks.push(sentence),
    isGiven: (name) => (isSwitch(name) ? raw[name]?.at(-1)?.text === 'true' : raw[name] !== undefined),
    read(name, parse) {
      const given = raw[name]?.at(-1);
      if (given === undefined) return undefined;
      const value = parse(given.text, given.flag);
      if (value.ok) return value.value;
      mistake(`${given.flag}: ${value.error}`);
      return undefined;
    },
    readAll(name, parse) {
      return (raw[name] ?? []).flatMap(({ flag, text }) => {
        const value = parse(text);
        if (value.ok) return [value.value];
        mistake(`${flag}: ${value.error}`);
        return [];
      });
    },
  };
}

function isSwitch(name: FlagName): boolean {
  return FLAGS[name].value === undefined;
}
