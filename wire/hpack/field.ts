// One field as the decoder keeps it: judged once, when it is read, however often a table gives it again.
import { type FieldFlaw, isFieldName, isFieldValue } from '../fields.ts';
import type { PseudoFields, PseudoFlaw } from './block.ts';

export interface Field {
  readonly name: string;
  readonly value: string;
  /** Which pseudo-header field this is. */
  readonly pseudo: keyof PseudoFields | undefined;
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

const COLON = 0x3a;

export function judgedField(name: string, value: string): Field {
  const isPseudo = name.charCodeAt(0) === COLON;
  const pseudo = isPseudo ? PSEUDO_NAMES.get(name) : undefined;
  return { name, value, pseudo, flaw: flawOf(name, value, isPseudo, pseudo) };
}

function flawOf(name: string, value: string, isPseudo: boolean, pseudo: Field['pseudo']): Field['flaw'] {
  if (!isFieldValue(value)) return 'field-value';
  if (isPseudo) return pseudo === undefined ? 'pseudo-field-unknown' : undefined;
  return isFieldName(name) ? undefined : 'field-name';
}
