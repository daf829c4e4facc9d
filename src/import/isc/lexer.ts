/**
 * The words of a dhcpd.conf: names and numbers, quoted strings with their escapes, and marks. Comments run from `#` to the end of
 * the line. Colons are marks, so that a hardware address is read as pairs; dots belong to words, so that an address is one word.
 */

export interface Token {
  readonly kind: 'word' | 'string' | 'mark';
  /** A word in its own case, a mark, or the contents of a string, one character for each octet. */
  readonly text: string;
  /** As written, for reports. */
  readonly raw: string;
  readonly line: number;
  /** Offsets in the file. */
  readonly start: number;
  readonly end: number;
}

export type Lexed =
  | { readonly kind: 'ok'; readonly tokens: readonly Token[] }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number };

/** A file beyond this is no configuration. */
export const FILE_CHARACTERS_MAX = 64 * 1024 * 1024;
/** Longest string; an option's value has at most 255 octets, a script in an expression is longer. */
const STRING_CHARACTERS_MAX = 65_536;

/** Blanks or a comment, a word, or the start of a string: what is none of these is a mark. */
const SKIPPED = /[\s\uFEFF]+|#[^\n]*/y;
const WORD = /[A-Za-z0-9_.-]+/y;

export function lex(text: string): Lexed {
  if (text.length > FILE_CHARACTERS_MAX)
    return { kind: 'bad', why: `the file has more than ${FILE_CHARACTERS_MAX} characters`, line: 1 };
  const tokens: Token[] = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const skipped = matchAt(SKIPPED, text, at);
    if (skipped !== '') {
      line += newlinesIn(skipped);
      at += skipped.length;
      continue;
    }
    const word = matchAt(WORD, text, at);
    if (word !== '') {
      tokens.push({ kind: 'word', text: word, raw: word, line, start: at, end: at + word.length });
      at += word.length;
    } else if (text[at] === '"') {
      const read = readString(text, at, line);
      if (read.kind === 'bad') return read;
      tokens.push(read.token);
      line += read.newlines;
      at = read.token.end;
    } else {
      const raw = text[at]!;
      tokens.push({ kind: 'mark', text: raw, raw, line, start: at, end: at + 1 });
      at++;
    }
  }
  return { kind: 'ok', tokens };
}

/** What a sticky pattern matches at a place; empty where it does not. */
export function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

export function newlinesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

/** What stands for itself in a string. */
const PLAIN = /[\x20\x21\x23-\x5b\x5d-\x7e]+/y;

type StringRead =
  | { readonly kind: 'ok'; readonly token: Token; readonly newlines: number }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number };

/** dhcp-eval(5), "data expressions": a string may hold \t \r \n \b, \xNN, \ooo; any other escaped character is itself. */
function readString(text: string, start: number, line: number): StringRead {
  let out = '';
  let newlines = 0;
  let at = start + 1;
  for (;;) {
    const character = text[at];
    if (character === undefined || at - start > STRING_CHARACTERS_MAX)
      return { kind: 'bad', why: 'a string has no closing quote', line };
    if (character === '"') break;
    const plain = matchAt(PLAIN, text, at);
    if (plain !== '') {
      out += plain;
      at += plain.length;
      continue;
    }
    if (character === '\n') newlines++;
    if (character !== '\\') {
      out += octetsOf(String.fromCodePoint(text.codePointAt(at) ?? 0));
      at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
      continue;
    }
    const escaped = readEscape(text, at);
    out += escaped.octet;
    at = escaped.next;
  }
  const end = at + 1;
  const token: Token = { kind: 'string', text: out, raw: text.slice(start, end), line, start, end };
  return { kind: 'ok', token, newlines };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b' };

function readEscape(text: string, at: number): { readonly octet: string; readonly next: number } {
  const hexadecimal = /^\\x([0-9a-fA-F]{1,2})/.exec(text.slice(at, at + 4));
  if (hexadecimal?.[1] !== undefined)
    return {
      octet: String.fromCharCode(Number.parseInt(hexadecimal[1], 16)),
      next: at + hexadecimal[0].length,
    };
  const octal = /^\\([0-7]{1,3})/.exec(text.slice(at, at + 4));
  if (octal?.[1] !== undefined)
    return { octet: String.fromCharCode(Number.parseInt(octal[1], 8) & 0xff), next: at + octal[0].length };
  const character = text[at + 1];
  if (character === undefined) return { octet: '', next: at + 1 };
  return { octet: ESCAPES[character] ?? octetsOf(character), next: at + 2 };
}

const utf8 = new TextEncoder();

/** A character beyond ASCII as the octets of its UTF-8 form, one character for each. */
function octetsOf(character: string): string {
  return character <= '\u007f' ? character : String.fromCharCode(...utf8.encode(character));
}
