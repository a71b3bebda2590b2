// When a circuit breaker opens: the expressions of Dapr's `trip`, which are CEL over five counts, such as
// `requests >= 20 && double(totalFailures) / double(requests) > 0.5`.
//
// The part of CEL that can be said with these words is small: integers, decimals, truth, arithmetic, comparison. It is read
// here once into a function, so that no sidecar carries a library for it. As in CEL, integers and decimals do not mix in
// arithmetic, integers divide towards nought, and what cannot be worked out (a division by nought) decides nothing where the
// rest of the expression decides already.
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';

/** Of the calls of one operation, since the breaker last closed or its interval began. */
export interface Counts {
  readonly requests: number;
  readonly totalSuccesses: number;
  readonly totalFailures: number;
  readonly consecutiveSuccesses: number;
  readonly consecutiveFailures: number;
}

export const TRIP_WORDS = [
  'requests',
  'totalSuccesses',
  'totalFailures',
  'consecutiveSuccesses',
  'consecutiveFailures',
] as const satisfies readonly (keyof Counts)[];

export type Trip = (counts: Counts) => boolean;

/** A breaker whose expression cannot be worked out at the moment stays closed. */
export function parseTrip(text: string): Result<Trip> {
  const tokens = tokensOf(text);
  if (!tokens.ok) return tokens;
  try {
    const { type, of } = new Parser(tokens.value).whole();
    if (type !== 'bool') throw new Mistake(`it is a number; compare it with something, as in ${excerpt(text)} > 5`);
    return ok((counts) => of(counts) === true);
  } catch (error) {
    if (error instanceof Mistake) return err(`"${excerpt(text)}" is no condition: ${error.message}`);
    throw error;
  }
}

type Type = 'int' | 'double' | 'bool';
/** Undefined: it cannot be worked out. */
type Value = number | boolean | undefined;

interface Expression {
  readonly type: Type;
  readonly of: (counts: Counts) => Value;
}

class Mistake extends Error {}

const TOKEN = /\s*(\d+\.\d+|\d+|[A-Za-z_]\w*|&&|\|\||[<>=!]=|[-+*/%<>!?:()])/y;

function tokensOf(text: string): Result<readonly string[]> {
  const tokens: string[] = [];
  const whole = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < whole.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(whole)?.[1];
    if (token === undefined)
      return err(
        `"${excerpt(text)}" is no condition: nobody can read it from "${excerpt(whole.slice(at).trim(), 20)}" on`,
      );
    tokens.push(token);
  }
  return ok(tokens);
}

/** The operators of two sides, those that bind most loosely first. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['<', '<=', '>', '>=', '==', '!='],
  ['+', '-'],
  ['*', '/', '%'],
];

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#choice();
    const rest = this.#tokens[this.#at];
    if (rest !== undefined) throw new Mistake(`it could end before "${rest}"`);
    return expression;
  }

  #take(...wanted: readonly string[]): string | undefined {
    const token = this.#tokens[this.#at];
    if (token === undefined || !wanted.includes(token)) return undefined;
    this.#at++;
    return token;
  }

  #need(wanted: string): void {
    if (this.#take(wanted) === undefined) throw new Mistake(`a "${wanted}" is missing`);
  }

  #choice(): Expression {
    const condition = this.#level(0);
    if (this.#take('?') === undefined) return condition;
    const yes = this.#choice();
    this.#need(':');
    return choose(condition, yes, this.#choice());
  }

  #level(number: number): Expression {
    const operators = LEVELS[number];
    if (operators === undefined) return this.#unary();
    let left = this.#level(number + 1);
    for (;;) {
      const operator = this.#take(...operators);
      if (operator === undefined) return left;
      left = join(operator, left, this.#level(number + 1));
    }
  }

  #unary(): Expression {
    if (this.#take('!') !== undefined) return not(this.#unary());
    if (this.#take('-') !== undefined) return negative(this.#unary());
    return this.#primary();
  }

  #primary(): Expression {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Mistake('it ends where a number or a word should follow');
    if (/^\d/.test(token)) return literal(token);
    if (token === 'true' || token === 'false') return { type: 'bool', of: () => token === 'true' };
    if (token === 'int' || token === 'double') return this.#conversion(token);
    if (token === '(') {
      const inner = this.#choice();
      this.#need(')');
      return inner;
    }
    const word = TRIP_WORDS.find((known) => known === token);
    if (word !== undefined) return { type: 'int', of: (counts) => counts[word] };
    throw new Mistake(`"${token}" cannot stand where it does; there are ${TRIP_WORDS.join(', ')}, double() and int()`);
  }

  #conversion(type: 'int' | 'double'): Expression {
    this.#need('(');
    const inner = this.#choice();
    this.#need(')');
    if (inner.type === 'bool') throw new Mistake(`${type}() takes a number`);
    if (type === 'double') return { type, of: inner.of };
    return { type, of: (counts) => whole(inner.of(counts)) };
  }
}

function literal(digits: string): Expression {
  const value = Number(digits);
  if (digits.includes('.')) return { type: 'double', of: () => value };
  if (!Number.isSafeInteger(value)) throw new Mistake(`${digits} is too large a number`);
  return { type: 'int', of: () => value };
}

function not({ type, of }: Expression): Expression {
  if (type !== 'bool') throw new Mistake('"!" takes a condition, and not a number');
  return {
    type,
    of: (counts) => {
      const value = of(counts);
      return typeof value === 'boolean' ? !value : undefined;
    },
  };
}

function negative({ type, of }: Expression): Expression {
  if (type === 'bool') throw new Mistake('"-" takes a number, and not a condition');
  return {
    type,
    of: (counts) => {
      const value = of(counts);
      if (typeof value !== 'number') return undefined;
      // Whole numbers have one nought, and dividing by the other one would have another sign.
      return type === 'int' ? 0 - value : -value;
    },
  };
}

function choose(condition: Expression, yes: Expression, no: Expression): Expression {
  if (condition.type !== 'bool') throw new Mistake('what stands before "?" is a condition');
  if (yes.type !== no.type) throw new Mistake('both sides of ":" have to be of one kind');
  return {
    type: yes.type,
    of: (counts) => {
      const holds = condition.of(counts);
      if (holds === undefined) return undefined;
      return holds ? yes.of(counts) : no.of(counts);
    },
  };
}

function join(operator: string, left: Expression, right: Expression): Expression {
  const areNumbers = left.type !== 'bool' && right.type !== 'bool';
  if (operator === '&&' || operator === '||') {
    if (left.type !== 'bool' || right.type !== 'bool') throw new Mistake(`"${operator}" stands between conditions`);
    return { type: 'bool', of: logic(operator === '||', left.of, right.of) };
  }
  const compare = COMPARE[operator];
  if (compare !== undefined) {
    if (!/^[=!]=$/.test(operator) && !areNumbers) throw new Mistake(`"${operator}" stands between numbers`);
    if (/^[=!]=$/.test(operator) && left.type !== right.type)
      throw new Mistake(`"${operator}" compares what is of one kind; write double() around a whole number`);
    return { type: 'bool', of: both(left.of, right.of, compare) };
  }
  if (!areNumbers) throw new Mistake(`"${operator}" stands between numbers`);
  if (left.type !== right.type)
    throw new Mistake(
      `"${operator}" stands between whole numbers or between decimals; write double() around the former`,
    );
  return { type: left.type, of: arithmetic(operator, left.type, left.of, right.of) };
}

/** What decides by itself decides, whichever side it is on, though the other cannot be worked out. */
function logic(deciding: boolean, left: Expression['of'], right: Expression['of']): Expression['of'] {
  return (counts) => {
    const first = left(counts);
    if (first === deciding) return deciding;
    const second = right(counts);
    if (second === deciding) return deciding;
    return first === undefined || second === undefined ? undefined : !deciding;
  };
}

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
};

function both(
  left: Expression['of'],
  right: Expression['of'],
  work: (a: number, b: number) => Value,
): Expression['of'] {
  return (counts) => {
    const a = left(counts);
    const b = right(counts);
    return a === undefined || b === undefined ? undefined : work(Number(a), Number(b));
  };
}

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

function arithmetic(operator: string, type: Type, left: Expression['of'], right: Expression['of']): Expression['of'] {
  const work = ARITHMETIC[operator];
  if (work === undefined || (operator === '%' && type === 'double'))
    throw new Mistake(`"${operator}" stands between whole numbers`);
  return both(left, right, type === 'int' ? (a, b) => whole(work(a, b)) : work);
}

/** Of 64 bits, as CEL has them; undefined for what is none: infinite, beyond that, or no number. */
function whole(value: Value): Value {
  if (typeof value !== 'number' || !(Math.abs(value) < 2 ** 63)) return undefined;
  return Math.trunc(value) + 0;
}
