// Names and fields as the decoder keeps them: judged once, when they are read, however often a table gives them again.
import { type FieldFlaw, isFieldName, isFieldValue } from '../fields.ts';
import type { PseudoFields, PseudoFlaw } from './block.ts';

export interface JudgedName {
  readonly text: string;
  /** Which pseudo-header field it names. */
  readonly pseudo: keyof PseudoFields | undefined;
  readonly flaw: FieldFlaw | PseudoFlaw | undefined;
}

export interface Field {
  readonly name: string;
  readonly value: string;
  readonly judgedName: JudgedName;
  /** Of the value, or else of the name. */
  readonly flaw: FieldFlaw | PseudoFlaw | undefined;
}

const PSEUDO_NAMES: ReadonlyMap<string, keyof PseudoFields> = new Map([
  [':method', 'method'],
  [':scheme', 'scheme'],
  [':authority', 'authority'],
  [':path', 'path'],
  [':protocol', 'protocol'],
  [':status', 'status'],
]);

export function judgeName(text: string): JudgedName {
  const pseudo = PSEUDO_NAMES.get(text);
  if (pseudo !== undefined || isFieldName(text)) return { text, pseudo, flaw: undefined };
  return { text, pseudo, flaw: text.startsWith(':') ? 'pseudo-field-unknown' : 'field-name' };
}

export function judgeField(judgedName: JudgedName, value: string): Field {
  const flaw = isFieldValue(value) ? judgedName.flaw : 'field-value';
  return { name: judgedName.text, value, judgedName, flaw };
}
