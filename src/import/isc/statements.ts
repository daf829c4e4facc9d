/**
 * The shape of a dhcpd.conf: statements that end with a semicolon or hold a block of others. What they mean is read elsewhere; every
 * statement is kept with its file and line, so that none can get lost on the way to the report. `include` is resolved here.
 */
import { lex, type Token } from './lexer.ts';

export interface Statement {
  readonly file: string;
  readonly line: number;
  /** Everything before the semicolon or the block. Never empty. */
  readonly tokens: readonly Token[];
  readonly block: readonly Statement[] | undefined;
}

export type Parsed =
  | { readonly kind: 'ok'; readonly statements: readonly Statement[] }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number; readonly file?: string };

/** Reads a file that a configuration includes; undefined where it cannot be read. */
export type ReadInclude = (path: string) => Promise<string | undefined>;

const BLOCK_DEPTH_MAX = 32;
const STATEMENT_TOKENS_MAX = 65_536;
export const INCLUDE_DEPTH_MAX = 8;
export const INCLUDE_FILES_MAX = 512;

export function parseStatements(text: string, file: string): Parsed {
  const lexed = lex(text);
  if (lexed.kind === 'bad') return lexed;
  const parser = new StatementParser(lexed.tokens, file);
  return parser.run();
}

class StatementParser {
  readonly #tokens: readonly Token[];
  readonly #file: string;
  #at = 0;

  constructor(tokens: readonly Token[], file: string) {
    this.#tokens = tokens;
    this.#file = file;
  }

  run(): Parsed {
    const read = this.#block(0);
    if (read.kind === 'bad') return read;
    const left = this.#tokens[this.#at];
    if (left !== undefined) return { kind: 'bad', why: 'a closing brace without an opening one', line: left.line };
    return read;
  }

  /** Statements up to the closing brace, which stays, or the end. */
  #block(depth: number): Parsed {
    const statements: Statement[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || isMark(token, '}')) return { kind: 'ok', statements };
      if (isMark(token, ';')) {
        this.#at++;
        continue;
      }
      const read = this.#statement(depth);
      if (read.kind === 'bad') return read;
      statements.push(read.statement);
    }
  }

  #statement(depth: number): { readonly kind: 'ok'; readonly statement: Statement } | Extract<Parsed, { kind: 'bad' }> {
    const from = this.#at;
    const first = this.#tokens[from]!;
    const { line } = first;
    let recordDepth = 0;
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined) return { kind: 'bad', why: `a statement without its semicolon: ${first.raw}`, line };
      if (this.#at - from > STATEMENT_TOKENS_MAX) return { kind: 'bad', why: 'a statement is too long', line };
      if (isMark(token, '{')) {
        if (recordDepth > 0 || isDefinition(this.#tokens, from)) recordDepth++;
        else return this.#withBlock(this.#tokens.slice(from, this.#at), depth, line);
      } else if (isMark(token, '}')) {
        if (recordDepth === 0)
          return { kind: 'bad', why: `a statement without its semicolon: ${first.raw}`, line: token.line };
        recordDepth--;
      } else if (isMark(token, ';') && recordDepth === 0) {
        const tokens = this.#tokens.slice(from, this.#at);
        this.#at++;
        return { kind: 'ok', statement: { file: this.#file, line, tokens, block: undefined } };
      }
      this.#at++;
    }
  }

  #withBlock(
    tokens: readonly Token[],
    depth: number,
    line: number,
  ): { readonly kind: 'ok'; readonly statement: Statement } | Extract<Parsed, { kind: 'bad' }> {
    if (tokens.length === 0) return { kind: 'bad', why: 'a block that belongs to nothing', line };
    if (depth >= BLOCK_DEPTH_MAX)
      return { kind: 'bad', why: `blocks inside more than ${BLOCK_DEPTH_MAX} others`, line };
    this.#at++;
    const block = this.#block(depth + 1);
    if (block.kind === 'bad') return block;
    if (this.#tokens[this.#at] === undefined) return { kind: 'bad', why: 'a block without its closing brace', line };
    this.#at++;
    return { kind: 'ok', statement: { file: this.#file, line, tokens, block: block.statements } };
  }
}

/** `option NAME code N = { ... }`: braces of a record, not of a block. */
function isDefinition(tokens: readonly Token[], from: number): boolean {
  return tokens[from]?.text === 'option' && tokens[from + 2]?.text.toLowerCase() === 'code';
}

export function isMark(token: Token | undefined, mark: string): boolean {
  return token?.kind === 'mark' && token.text === mark;
}

/** The lower-case word at a place; empty where there is none. */
export function wordAt(statement: Statement, index: number): string {
  const token = statement.tokens[index];
  return token?.kind === 'word' ? token.text.toLowerCase() : '';
}

/** The name at a place, quoted or not; undefined where there is none. */
export function nameAt(statement: Statement, index: number): string | undefined {
  const token = statement.tokens[index];
  return token === undefined || token.kind === 'mark' ? undefined : token.text;
}

const SHOWN_CHARACTERS_MAX = 100;
/** dhcpd.conf(5) `key`, dhcpd-ldap: what must not be shown to anybody. */
const SECRET_WORDS = new Set(['secret', 'ldap-password']);

/** The statement in one line, shortened, without secrets. */
export function statementText(statement: Statement): string {
  const first = wordAt(statement, 0);
  if (SECRET_WORDS.has(first)) return `${first} (hidden)`;
  let text = '';
  let end = -1;
  for (const token of statement.tokens) {
    if (text.length > SHOWN_CHARACTERS_MAX) break;
    text += (text === '' || token.start === end ? '' : ' ') + token.raw;
    end = token.end;
  }
  text = text.replace(/\s+/g, ' ');
  if (text.length > SHOWN_CHARACTERS_MAX) text = `${text.slice(0, SHOWN_CHARACTERS_MAX - 1)}…`;
  return statement.block === undefined ? text : `${text} {}`;
}

/** A file that was to be included, and whether it was. */
export type IncludeFate = 'read' | 'unreadable' | 'too-many' | 'too-deep';

export interface Expanded {
  readonly statements: readonly Statement[];
  /** By the `include` statement, which stays in the list before what it stands for. */
  readonly includes: ReadonlyMap<Statement, IncludeFate>;
}

export type Expansion =
  | { readonly kind: 'ok'; readonly expanded: Expanded }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number; readonly file?: string };

/** Puts the statements of included files where the `include` stands, in every block. */
export async function expandIncludes(
  statements: readonly Statement[],
  readInclude: ReadInclude | undefined,
): Promise<Expansion> {
  const includes = new Map<Statement, IncludeFate>();
  let files = 0;
  type List = { readonly kind: 'ok'; readonly list: Statement[] } | Extract<Parsed, { kind: 'bad' }>;

  const expand = async (list: readonly Statement[], depth: number): Promise<List> => {
    const out: Statement[] = [];
    for (const statement of list) {
      if (wordAt(statement, 0) !== 'include' || statement.block !== undefined) {
        const inner = statement.block === undefined ? undefined : await expand(statement.block, depth);
        if (inner?.kind === 'bad') return inner;
        out.push(inner === undefined ? statement : { ...statement, block: inner.list });
        continue;
      }
      out.push(statement);
      const found = await include(statement, depth);
      if (found.kind === 'bad') return found;
      out.push(...found.list);
    }
    return { kind: 'ok', list: out };
  };

  const include = async (statement: Statement, depth: number): Promise<List> => {
    const fate = (kind: IncludeFate): List => {
      includes.set(statement, kind);
      return { kind: 'ok', list: [] };
    };
    if (depth >= INCLUDE_DEPTH_MAX) return fate('too-deep');
    if (files >= INCLUDE_FILES_MAX) return fate('too-many');
    files++;
    const path = nameAt(statement, 1);
    const text = path === undefined ? undefined : await readInclude?.(path);
    if (path === undefined || text === undefined) return fate('unreadable');
    const parsed = parseStatements(text, path);
    if (parsed.kind === 'bad') return { ...parsed, file: path };
    includes.set(statement, 'read');
    return await expand(parsed.statements, depth + 1);
  };

  const whole = await expand(statements, 0);
  if (whole.kind === 'bad') return whole;
  return { kind: 'ok', expanded: { statements: whole.list, includes } };
}
