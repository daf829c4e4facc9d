/**
 * Conditions of classes and of `if` that this product can express: a vendor class (option 60) or a user class (option 77).
 * Everything else that dhcp-eval(5) can compute has no equivalent.
 */
import type { Token } from './lexer.ts';
import { functionCall, numberIn, readData } from './option-values.ts';
import { isMark } from './statements.ts';

/** For whom a value is meant, as `OptionValue` says it. */
export interface ClassTest {
  readonly vendorClass?: string;
  readonly userClass?: string;
  /** What is different here; null where the same clients are meant. */
  readonly difference: string | null;
}

/** What `match` compares with the data of subclasses. */
export interface Matched {
  readonly field: 'vendor' | 'user';
  /** Only so many octets from the start; undefined for all. */
  readonly length: number | undefined;
}

/** Longer conditions are nobody's vendor class. */
const CONDITION_TOKENS_MAX = 512;

export function readTest(given: readonly Token[]): ClassTest | undefined {
  if (given.length > CONDITION_TOKENS_MAX) return undefined;
  const tokens = withoutParentheses(given);
  const both = split(tokens, 'and');
  if (both.length === 2) {
    // `exists user-class and option user-class = "..."` asks nothing more than the second part.
    const [first = [], second = []] = both.map(withoutParentheses);
    const inner = first[0]?.text.toLowerCase() === 'exists' && first.length === 2 ? readTest(second) : undefined;
    const named = fieldNamed(first[1]?.text);
    const isSame = named === 'vendor' ? inner?.vendorClass !== undefined : inner?.userClass !== undefined;
    return named !== undefined && isSame ? inner : undefined;
  }
  const equals = tokens.findIndex((token) => isMark(token, '='));
  if (equals <= 0 || tokens.length === equals + 1) return undefined;
  const matched = readMatched(tokens.slice(0, equals));
  const data = readData(tokens.slice(equals + 1));
  return matched === undefined || data === undefined ? undefined : testOf(matched, data);
}

/** `option vendor-class-identifier`, `substring(option user-class, 0, 4)`. */
export function readMatched(given: readonly Token[]): Matched | undefined {
  if (given.length > CONDITION_TOKENS_MAX) return undefined;
  const tokens = withoutParentheses(given);
  if (tokens.length === 2 && tokens[0]?.text.toLowerCase() === 'option') {
    const field = fieldNamed(tokens[1]?.text);
    return field === undefined ? undefined : { field, length: undefined };
  }
  const call = functionCall(tokens);
  if (call?.name !== 'substring' || call.args.length !== 3) return undefined;
  const [data = [], offset = [], length = []] = call.args;
  const inner = readMatched(data);
  if (inner === undefined || inner.length !== undefined || numberIn(offset[0]?.text ?? '') !== 0) return undefined;
  const count = length.length === 1 ? numberIn(length[0]?.text ?? '') : undefined;
  return count === undefined || count < 1 ? undefined : { field: inner.field, length: count };
}

/** The clients for whom the matched octets are `data`. */
export function testOf(matched: Matched, data: Uint8Array): ClassTest | undefined {
  // A shorter piece can never be equal to longer data.
  if (data.length === 0 || (matched.length !== undefined && matched.length < data.length)) return undefined;
  const text = String.fromCharCode(...data);
  if (!/^[\x20-\x7e]{1,255}$/.test(text)) return undefined;
  const isPrefix = matched.length === data.length;
  if (matched.field === 'vendor') {
    const difference = isPrefix ? null : `clients whose vendor class only begins with "${text}" are meant too`;
    return { vendorClass: text, difference };
  }
  const difference = isPrefix
    ? `only clients that name the user class "${text}" itself are meant`
    : 'a user class with a length before it (RFC 3004) is meant too';
  return { userClass: text, difference };
}

function fieldNamed(name: string | undefined): Matched['field'] | undefined {
  if (name === 'vendor-class-identifier' || name === 'dhcp.vendor-class-identifier') return 'vendor';
  return name === 'user-class' || name === 'dhcp.user-class' ? 'user' : undefined;
}

function withoutParentheses(tokens: readonly Token[]): readonly Token[] {
  if (!isMark(tokens[0], '(') || !isMark(tokens.at(-1), ')')) return tokens;
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (isMark(token, '(')) depth++;
    if (isMark(token, ')')) depth--;
    if (depth === 0 && index < tokens.length - 1) return tokens;
  }
  return withoutParentheses(tokens.slice(1, -1));
}

/** The parts between a word that stands outside parentheses. */
function split(tokens: readonly Token[], word: string): readonly (readonly Token[])[] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (isMark(token, '(')) depth++;
    if (isMark(token, ')')) depth--;
    if (depth === 0 && token.kind === 'word' && token.text.toLowerCase() === word) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}
