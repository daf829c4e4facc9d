/**
 * Kea's JSON (Kea ARM, "JSON syntax"): comments in three styles, files put in with `<?include "path"?>` wherever a value or a part of
 * a list may stand, and a comma too many before a closing bracket. Every member keeps the file and line where it stands.
 */

/** Reads a file that a configuration includes; undefined where it cannot be read. */
export type ReadInclude = (path: string) => Promise<string | undefined>;

export interface Place {
  readonly file: string;
  readonly line: number;
}

export type Json = Place &
  (
    | { readonly kind: 'object'; readonly members: readonly Member[] }
    | { readonly kind: 'array'; readonly items: readonly Json[] }
    | { readonly kind: 'string'; readonly text: string }
    | { readonly kind: 'number'; readonly value: number; readonly text: string }
    | { readonly kind: 'boolean'; readonly value: boolean }
    | { readonly kind: 'null' }
  );

export interface Member extends Place {
  readonly key: string;
  readonly value: Json;
}

/** An `<?include?>` that was followed. */
export interface Include extends Place {
  readonly path: string;
}

export type JsonRead =
  | { readonly kind: 'ok'; readonly value: Json; readonly includes: readonly Include[] }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number };

export const JSON_CHARACTERS_MAX = 64 * 1024 * 1024;
export const JSON_DEPTH_MAX = 64;
const TOKENS_MAX = 8 * 1024 * 1024;
const INCLUDE_DEPTH_MAX = 10;
const INCLUDE_FILES_MAX = 512;

type Token = Place &
  (
    | { readonly kind: 'mark'; readonly mark: string }
    | { readonly kind: 'string'; readonly text: string }
    | { readonly kind: 'word'; readonly text: string }
  );

type Bad = Extract<JsonRead, { kind: 'bad' }>;

export async function readJson(text: string, file: string, readInclude: ReadInclude | undefined): Promise<JsonRead> {
  const lexer = new Lexer(readInclude);
  const wrong = await lexer.read(text, file, 0);
  if (wrong !== undefined) return wrong;
  const parser = new Parser(lexer.tokens);
  const value = parser.value(0);
  if (value === undefined) return parser.bad();
  if (!parser.isAtEnd) {
    parser.refuse('there is something after the end of the configuration');
    return parser.bad();
  }
  return { kind: 'ok', value, includes: lexer.includes };
}

const NUMBER_OR_WORD = /[-+A-Za-z0-9._]+/y;
const INCLUDE = /<\?include\s+"([^"\n]{1,4096})"\s*\?>/y;
const PLAIN = /[^"\\\p{Cc}]+/uy;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Lexer {
  readonly tokens: Token[] = [];
  readonly includes: Include[] = [];
  readonly #readInclude: ReadInclude | undefined;

  constructor(readInclude: ReadInclude | undefined) {
    this.#readInclude = readInclude;
  }

  /** Undefined when all is read. */
  async read(text: string, file: string, depth: number): Promise<Bad | undefined> {
    if (text.length > JSON_CHARACTERS_MAX) return bad(file, 0, 'the file is too long', depth);
    let line = 1;
    let at = text.startsWith('\uFEFF') ? 1 : 0;
    while (at < text.length) {
      const next = skipped(text, at);
      if (next === undefined) return bad(file, line, 'a comment has no end', depth);
      if (next > at) {
        line += newlines(text, at, next);
        at = next;
        continue;
      }
      if (this.tokens.length >= TOKENS_MAX) return bad(file, line, 'the configuration is too long', depth);
      if (text[at] === '<') {
        const path = matched(INCLUDE, text, at);
        if (path === undefined) return bad(file, line, '"<" begins no include', depth);
        const wrong = await this.#include({ path: path[1]!, file, line }, depth);
        if (wrong !== undefined) return wrong;
        at += path[0].length;
        continue;
      }
      const read = readToken(text, at, { file, line });
      if (typeof read === 'string') return bad(file, line, read, depth);
      this.tokens.push(read.token);
      at = read.end;
    }
    return undefined;
  }

  async #include(include: Include, depth: number): Promise<Bad | undefined> {
    const { path, file, line } = include;
    if (depth >= INCLUDE_DEPTH_MAX) return bad(file, line, 'files include each other too deeply', depth);
    if (this.includes.length >= INCLUDE_FILES_MAX) return bad(file, line, 'too many files are included', depth);
    const text = await this.#readInclude?.(path);
    if (text === undefined) return bad(file, line, `the included file ${path} cannot be read`, depth);
    this.includes.push(include);
    return await this.read(text, path, depth + 1);
  }
}

/** Where the space and the comments that begin at `at` end; undefined for a comment without end. */
function skipped(text: string, at: number): number | undefined {
  const character = text[at]!;
  if (character === ' ' || character === '\n' || character === '\t' || character === '\r') return at + 1;
  if (character === '#' || text.startsWith('//', at)) {
    const end = text.indexOf('\n', at);
    return end < 0 ? text.length : end;
  }
  if (!text.startsWith('/*', at)) return at;
  const end = text.indexOf('*/', at + 2);
  return end < 0 ? undefined : end + 2;
}

function newlines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

function matched(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

type TokenRead = { readonly token: Token; readonly end: number } | string;

function readToken(text: string, at: number, place: Place): TokenRead {
  const character = text[at]!;
  if ('{}[]:,'.includes(character)) return { token: { kind: 'mark', mark: character, ...place }, end: at + 1 };
  if (character === '"') return readString(text, at, place);
  const word = matched(NUMBER_OR_WORD, text, at)?.[0];
  if (word === undefined) return `${JSON.stringify(character)} has no meaning here`;
  return { token: { kind: 'word', text: word, ...place }, end: at + word.length };
}

function readString(text: string, start: number, place: Place): TokenRead {
  let at = start + 1;
  let out = '';
  for (;;) {
    const plain = matched(PLAIN, text, at)?.[0];
    if (plain !== undefined) {
      out += plain;
      at += plain.length;
    }
    const character = text[at];
    if (character === '"') return { token: { kind: 'string', text: out, ...place }, end: at + 1 };
    if (character !== '\\') return 'a string does not end on its line';
    const code = text[at + 1] ?? '';
    const escaped = ESCAPES[code];
    const hex = text.slice(at + 2, at + 6);
    if (escaped !== undefined) {
      out += escaped;
      at += 2;
    } else if (code === 'u' && /^[0-9A-Fa-f]{4}$/.test(hex)) {
      out += String.fromCharCode(Number.parseInt(hex, 16));
      at += 6;
    } else return 'a backslash is followed by something unknown';
  }
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/;

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #wrong: Bad | undefined;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#tokens.length;
  }

  bad(): Bad {
    return this.#wrong ?? { kind: 'bad', why: 'it is no configuration', line: 0 };
  }

  refuse(why: string): undefined {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)];
    this.#wrong ??= { kind: 'bad', why: token === undefined ? 'the file is empty' : why, line: token?.line ?? 1 };
    return undefined;
  }

  value(depth: number): Json | undefined {
    if (depth > JSON_DEPTH_MAX) return this.refuse('it is nested too deeply');
    const token = this.#tokens[this.#at];
    if (token === undefined) return this.refuse('the configuration ends too early');
    this.#at++;
    const { file, line } = token;
    if (token.kind === 'string') return { kind: 'string', text: token.text, file, line };
    if (token.kind === 'word') return this.#word(token);
    if (token.mark === '{') return this.#object({ file, line }, depth);
    if (token.mark === '[') return this.#array({ file, line }, depth);
    this.#at--;
    return this.refuse(`a value is missing before "${token.mark}"`);
  }

  #word({ text, file, line }: Token & { readonly kind: 'word' }): Json | undefined {
    // Kea takes these in any case.
    const word = text.toLowerCase();
    if (word === 'true' || word === 'false') return { kind: 'boolean', value: word === 'true', file, line };
    if (word === 'null') return { kind: 'null', file, line };
    if (NUMBER.test(text)) return { kind: 'number', value: Number(text), text, file, line };
    this.#at--;
    return this.refuse(`"${text.slice(0, 40)}" is neither a number nor true, false or null`);
  }

  #object(place: Place, depth: number): Json | undefined {
    const members: Member[] = [];
    const keys = new Set<string>();
    while (!this.#take('}')) {
      const key = this.#tokens[this.#at];
      if (key?.kind !== 'string') return this.refuse('a name in quotes is missing');
      if (keys.has(key.text)) return this.refuse(`"${key.text}" stands twice in one place`);
      keys.add(key.text);
      this.#at++;
      if (!this.#take(':')) return this.refuse(`":" is missing after "${key.text}"`);
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      members.push({ key: key.text, value, file: key.file, line: key.line });
      if (!this.#take(',') && !this.#isNext('}')) return this.refuse('"," or "}" is missing');
    }
    return { kind: 'object', members, ...place };
  }

  #array(place: Place, depth: number): Json | undefined {
    const items: Json[] = [];
    while (!this.#take(']')) {
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      items.push(value);
      if (!this.#take(',') && !this.#isNext(']')) return this.refuse('"," or "]" is missing');
    }
    return { kind: 'array', items, ...place };
  }

  #isNext(mark: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === 'mark' && token.mark === mark;
  }

  #take(mark: string): boolean {
    if (!this.#isNext(mark)) return false;
    this.#at++;
    return true;
  }
}

function bad(file: string, line: number, why: string, depth: number): Bad {
  return { kind: 'bad', why: depth === 0 ? why : `${file}, line ${line}: ${why}`, line };
}
