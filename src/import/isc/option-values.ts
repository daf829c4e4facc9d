/**
 * The values of option statements as octets on the wire: what a type's fields look like in a file, and the few data expressions
 * (dhcp-eval(5)) whose value is the same for every client.
 */
import { writeDomainNames } from '../../wire/dhcp/domain-name.ts';
import { bad, ok, parseIp4, type Read } from '../../wire/units.ts';
import type { Token } from './lexer.ts';
import type { FieldType, IscType } from './option-types.ts';
import { isMark } from './statements.ts';

/** Nothing longer can be sent in a packet. */
const VALUE_OCTETS_MAX = 2048;

type Field = Read<{ readonly octets: readonly number[]; readonly next: number }>;

/** Reads the tokens behind an option's name. `at` of a refusal is the index of the token. */
export function readOptionValue(type: IscType, tokens: readonly Token[]): Read<Uint8Array> {
  const octets: number[] = [];
  let at = 0;
  const record = (fields: readonly FieldType[]): ReturnType<typeof bad> | undefined => {
    for (const [index, field] of fields.entries()) {
      if (at >= tokens.length && index >= fields.length - (type.optional ?? 0)) return undefined;
      const read = readField(field, tokens, at);
      if (read.kind === 'bad') return read;
      octets.push(...read.value.octets);
      at = read.value.next;
      if (octets.length > VALUE_OCTETS_MAX) return bad(`the value is longer than ${VALUE_OCTETS_MAX} octets`, at);
    }
    return undefined;
  };
  const first = record(type.fields);
  if (first !== undefined) return first;
  while (type.repeats !== 'nothing' && at < tokens.length) {
    if (!isMark(tokens[at], ',')) return bad('a comma is missing between two values', at);
    at++;
    const more = record(type.repeats === 'record' ? type.fields : type.fields.slice(-1));
    if (more !== undefined) return more;
  }
  if (at < tokens.length) return bad(`${tokens[at]?.raw} is too much`, at);
  return ok(Uint8Array.from(octets));
}

function readField(type: FieldType, tokens: readonly Token[], at: number): Field {
  const token = tokens[at];
  if (token === undefined) return bad('a value is missing', at);
  switch (type) {
    case 'ip':
      return readAddress(token, at);
    case 'u8':
    case 's8':
      return readNumber(token, at, 1, type === 's8');
    case 'u16':
    case 's16':
      return readNumber(token, at, 2, type === 's16');
    case 'u32':
    case 's32':
      return readNumber(token, at, 4, type === 's32');
    case 'flag':
      return readFlag(token, at);
    case 'text':
      return token.kind === 'string' ? took(latin1(token.text), at + 1) : bad('a text in quotes is missing', at);
    case 'data':
    case 'encapsulated':
      return token.kind === 'string' ? took(latin1(token.text), at + 1) : readPairs(tokens, at);
    case 'domain':
      return readNames([token.text.replace(/\.$/, '')], false, at, at + 1);
    case 'domains':
    case 'domains-compressed':
      return readNameList(tokens, at, type === 'domains-compressed');
    case 'ip6':
      return readIp6(tokens, at);
    default:
      return type satisfies never;
  }
}

function took(octets: readonly number[], next: number): Field {
  return ok({ octets, next });
}

export function latin1(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

function readAddress(token: Token, at: number): Field {
  const address = token.kind === 'word' ? readIp4(token.text) : undefined;
  if (address === undefined) return bad(`${token.raw} is no IPv4 address; names are not looked up in DNS here`, at);
  return took([address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255], at + 1);
}

/** dhcpd takes octets with leading zeros. */
export function readIp4(text: string): number | undefined {
  return parseIp4(text.replace(/(^|\.)0+(?=\d)/g, '$1'));
}

function readNumber(token: Token, at: number, width: 1 | 2 | 4, isSigned: boolean): Field {
  const value = numberIn(token.text);
  const limit = 2 ** (8 * width);
  if (token.kind !== 'word' || value === undefined) return bad(`${token.raw} is no number`, at);
  // dhcpd takes -1 for the largest unsigned number.
  const least = isSigned ? -limit / 2 : -1;
  if (value < least || value >= (isSigned ? limit / 2 : limit)) return bad(`${token.raw} is out of range`, at);
  const octets: number[] = [];
  let rest = value < 0 ? value + limit : value;
  for (let i = 0; i < width; i++) {
    octets.unshift(rest % 256);
    rest = Math.floor(rest / 256);
  }
  return took(octets, at + 1);
}

/** Decimal, 0x hexadecimal, or octal with a leading zero, as dhcpd reads numbers. */
export function numberIn(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]{1,8}$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[0-7]{1,11}$/.test(text)) return Number.parseInt(text, 8);
  return /^-?\d{1,10}$/.test(text) ? Number(text) : undefined;
}

const TRUE = ['true', 'on'];
const FALSE = ['false', 'off'];

/** Undefined for anything that is no flag. */
export function flagIn(text: string): boolean | undefined {
  const plain = text.toLowerCase();
  if (TRUE.includes(plain)) return true;
  return FALSE.includes(plain) ? false : undefined;
}

function readFlag(token: Token, at: number): Field {
  const value = flagIn(token.text);
  if (value === undefined) return bad(`${token.raw} is neither on nor off`, at);
  return took([value ? 1 : 0], at + 1);
}

const PAIR = /^[0-9a-fA-F]{1,2}$/;

/** `00:11:22`, with one or two digits each. */
function readPairs(tokens: readonly Token[], at: number): Field {
  const octets: number[] = [];
  let next = at;
  for (;;) {
    const token = tokens[next];
    if (token === undefined || !PAIR.test(token.raw))
      return bad(`${token?.raw ?? 'nothing'} is no octet in hexadecimal`, next);
    octets.push(Number.parseInt(token.raw, 16));
    next++;
    if (!isMark(tokens[next], ':')) return took(octets, next);
    next++;
    if (octets.length > VALUE_OCTETS_MAX) return bad(`the value is longer than ${VALUE_OCTETS_MAX} octets`, next);
  }
}

/** Octets of `00:11:22` or of a quoted text that fill all tokens. */
export function readData(tokens: readonly Token[]): Uint8Array | undefined {
  const read = tokens.length === 0 ? undefined : readOptionValue({ fields: ['data'], repeats: 'nothing' }, tokens);
  return read?.kind === 'ok' ? read.value : undefined;
}

function readNames(names: readonly string[], isCompressed: boolean, at: number, next: number): Field {
  const written = writeDomainNames(names, isCompressed);
  return written.kind === 'bad' ? bad(written.why, at) : took([...written.value], next);
}

/** Several names in one string, several strings, or both. */
function readNameList(tokens: readonly Token[], at: number, isCompressed: boolean): Field {
  const names: string[] = [];
  let next = at;
  for (;;) {
    const token = tokens[next];
    if (token?.kind !== 'string') return bad('a list of names in quotes is missing', next);
    names.push(...token.text.split(/[\s,]+/).filter((name) => name !== ''));
    next++;
    if (!isMark(tokens[next], ',')) break;
    next++;
  }
  return names.length === 0 ? bad('a name is missing', at) : readNames(names, isCompressed, at, next);
}

/** RFC 4291 2.2, without an embedded IPv4 address. */
function readIp6(tokens: readonly Token[], at: number): Field {
  let text = '';
  let next = at;
  for (; next < tokens.length && (isMark(tokens[next], ':') || PAIRS6.test(tokens[next]?.raw ?? '')); next++)
    text += tokens[next]?.raw ?? '';
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part
      .split(':')
      .filter(Boolean)
      .map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const missing = 8 - before.length - after.length;
  if (text.split('::').length > 2 || (tail === undefined ? missing !== 0 : missing < 1))
    return bad(`${text} is no IPv6 address`, at);
  const all = [...before, ...Array.from({ length: missing }, () => 0), ...after];
  return took(
    all.flatMap((group) => [group >>> 8, group & 255]),
    next,
  );
}

const PAIRS6 = /^[0-9a-fA-F]{1,4}$/;

/**
 * The value of `option NAME = EXPRESSION` where it is the same for every client: data, `concat` of such, `encode-int`.
 * Undefined for everything else.
 */
export function constantData(tokens: readonly Token[]): Uint8Array | undefined {
  const plain = readData(tokens);
  if (plain !== undefined) return plain;
  const call = functionCall(tokens);
  if (call?.name === 'concat') {
    const parts = call.args.map(constantData);
    if (parts.some((part) => part === undefined)) return undefined;
    return Uint8Array.from(parts.flatMap((part) => [...(part ?? [])]));
  }
  if (call?.name === 'encode-int') {
    const [value, width] = call.args.map((arg) => (arg.length === 1 ? numberIn(arg[0]?.text ?? '') : undefined));
    if (value === undefined || value < 0 || (width !== 8 && width !== 16 && width !== 32)) return undefined;
    return Uint8Array.from(
      Array.from({ length: width / 8 }, (_, i) => Math.floor(value / 2 ** (width - 8 - 8 * i)) & 255),
    );
  }
  return undefined;
}

/** Calls of more tokens are not looked into, so that reading them inside one another has an end. */
const CALL_TOKENS_MAX = 4096;

/** `name(a, b)` over the whole of the tokens. */
export function functionCall(
  tokens: readonly Token[],
): { readonly name: string; readonly args: readonly (readonly Token[])[] } | undefined {
  const last = tokens.length - 1;
  if (tokens.length > CALL_TOKENS_MAX) return undefined;
  if (tokens[0]?.kind !== 'word' || !isMark(tokens[1], '(') || !isMark(tokens[last], ')')) return undefined;
  const args: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens.slice(2, last)) {
    if (isMark(token, '(')) depth++;
    if (isMark(token, ')')) depth--;
    if (depth < 0) return undefined;
    if (depth === 0 && isMark(token, ',')) args.push([]);
    else args.at(-1)?.push(token);
  }
  return { name: tokens[0].text.toLowerCase(), args };
}
