/**
 * The tests of client classes that have an equivalent: option 60 or 77 compared with a constant, joined by `and` and `or`. Every
 * other expression of Kea (ARM, "Using Expressions in Classification") has none.
 */
import { lookUp } from '../look-up.ts';

/** A client is of the class when its option 60 begins with the one and its option 77 holds the other. */
export interface ClassCondition {
  readonly vendorClass?: string;
  readonly userClass?: string;
}

export interface ClassTest {
  /** One of them is enough. */
  readonly conditions: readonly ClassCondition[];
  /** Kea compares exactly as we do. */
  readonly isExact: boolean;
}

const ALTERNATIVES_MAX = 16;
const TEST_CHARACTERS_MAX = 8192;
const NESTED_MAX = 32;
const TOKEN = /\s*(?:(==|[()[\],.])|'([^'\n]*)'|(0[xX][0-9A-Fa-f]+)|([A-Za-z0-9_-]+))/y;

interface Token {
  readonly kind: 'mark' | 'text' | 'word';
  readonly text: string;
}

export function readClassTest(text: string): ClassTest | undefined {
  if (text.length > TEST_CHARACTERS_MAX) return undefined;
  const tokens = tokensOf(text);
  if (tokens === undefined || tokens.length === 0) return undefined;
  const reader = new Reader(tokens);
  const test = reader.either(0);
  return reader.isAtEnd ? test : undefined;
}

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  const rest = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < rest.length) {
    const found = TOKEN.exec(rest);
    if (found === null) return undefined;
    const [, mark, quoted, hex, word] = found;
    if (mark !== undefined) tokens.push({ kind: 'mark', text: mark });
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted });
    else if (hex !== undefined) {
      const constant = printable(hex.slice(2));
      tokens.push(constant === undefined ? { kind: 'word', text: hex } : { kind: 'text', text: constant });
    } else tokens.push({ kind: 'word', text: word ?? '' });
  }
  return tokens;
}

/** Class names are text here; a constant of other octets cannot be one. */
function printable(hex: string): string | undefined {
  if (hex.length % 2 !== 0) return undefined;
  const text = hex.replace(/../g, (pair) => String.fromCharCode(Number.parseInt(pair, 16)));
  return /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}

const OPTIONS: Readonly<Record<string, 60 | 77>> = {
  '60': 60,
  '77': 77,
  'vendor-class-identifier': 60,
  'user-class': 77,
};

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#tokens.length;
  }

  either(depth: number): ClassTest | undefined {
    let test = this.#both(depth);
    while (test !== undefined && this.#take('or')) {
      const other = this.#both(depth);
      if (other === undefined) return undefined;
      const conditions = [...test.conditions, ...other.conditions];
      test = conditions.length > ALTERNATIVES_MAX ? undefined : { conditions, isExact: test.isExact && other.isExact };
    }
    return test;
  }

  #both(depth: number): ClassTest | undefined {
    let test = this.#term(depth);
    while (test !== undefined && this.#take('and')) {
      const other = this.#term(depth);
      test = other === undefined ? undefined : joined(test, other);
    }
    return test;
  }

  #term(depth: number): ClassTest | undefined {
    if (depth > NESTED_MAX) return undefined;
    if (this.#take('(')) {
      const test = this.either(depth + 1);
      return this.#take(')') ? test : undefined;
    }
    return this.#comparison();
  }

  #comparison(): ClassTest | undefined {
    const first = this.#operand();
    if (first === undefined || !this.#take('==')) return undefined;
    const second = this.#operand();
    if (second === undefined) return undefined;
    const [option, constant] = first.kind === 'option' ? [first, second] : [second, first];
    if (option.kind !== 'option' || constant.kind !== 'constant' || constant.text === '') return undefined;
    const { code, size } = option;
    // A part that is as long as the constant is compared with: the option begins with it.
    if (size !== undefined && size !== constant.text.length) return undefined;
    if (constant.text.length > 255) return undefined;
    return code === 60
      ? { conditions: [{ vendorClass: constant.text }], isExact: size !== undefined }
      : { conditions: [{ userClass: constant.text }], isExact: size === undefined };
  }

  #operand():
    | { readonly kind: 'option'; readonly code: 60 | 77; readonly size: number | undefined }
    | { readonly kind: 'constant'; readonly text: string }
    | undefined {
    const token = this.#tokens[this.#at];
    if (token?.kind === 'text') {
      this.#at++;
      return { kind: 'constant', text: token.text };
    }
    if (!this.#take('substring')) {
      const code = this.#option();
      return code === undefined ? undefined : { kind: 'option', code, size: undefined };
    }
    const code = this.#take('(') ? this.#option() : undefined;
    if (code === undefined || !this.#take(',') || !this.#take('0') || !this.#take(',')) return undefined;
    const size = Number(this.#tokens[this.#at]?.text);
    this.#at++;
    if (!Number.isInteger(size) || size < 1 || !this.#take(')')) return undefined;
    return { kind: 'option', code, size };
  }

  #option(): 60 | 77 | undefined {
    if (!this.#take('option') || !this.#take('[')) return undefined;
    const code = lookUp(OPTIONS, this.#tokens[this.#at]?.text ?? '');
    this.#at++;
    if (code === undefined || !this.#take(']') || !this.#take('.')) return undefined;
    return this.#take('hex') || this.#take('text') ? code : undefined;
  }

  #take(wanted: string): boolean {
    const token = this.#tokens[this.#at];
    if (token === undefined || token.kind === 'text' || token.text !== wanted) return false;
    this.#at++;
    return true;
  }
}

function joined(one: ClassTest, other: ClassTest): ClassTest | undefined {
  const conditions: ClassCondition[] = [];
  for (const a of one.conditions) {
    for (const b of other.conditions) {
      // The same option compared twice is no condition of ours.
      if (a.vendorClass !== undefined && b.vendorClass !== undefined) return undefined;
      if (a.userClass !== undefined && b.userClass !== undefined) return undefined;
      conditions.push({ ...a, ...b });
    }
  }
  if (conditions.length > ALTERNATIVES_MAX) return undefined;
  return { conditions, isExact: one.isExact && other.isExact };
}
