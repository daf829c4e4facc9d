/**
 * Cuts a lease file that comes in pieces into its entries: statements at the top, with their blocks. Strings and comments are
 * followed, so that a brace inside one is not taken for the end.
 */
import { matchAt, newlinesIn } from './lexer.ts';

/** An entry with all that dhcpd writes has some hundred characters; a variable may hold more. */
export const ENTRY_CHARACTERS_MAX = 1024 * 1024;

export interface Entry {
  readonly text: string;
  /** Of its first character, from 1. */
  readonly line: number;
}

type Inside = 'text' | 'string' | 'escape' | 'comment';

export class LeaseEntries {
  /** The entry that is not complete yet. */
  #pending = '';
  #pendingLine = 1;
  #line = 1;
  #depth = 0;
  #inside: Inside = 'text';
  #isBroken = false;

  /** An entry is longer than any can be: nothing more is read. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  *add(chunk: string): Generator<Entry> {
    let start = 0;
    let at = 0;
    while (!this.#isBroken) {
      if (this.#pending === '' && at === start && this.#isBetween) {
        const blank = matchAt(BLANK, chunk, at);
        this.#line += newlinesIn(blank);
        at = start = at + blank.length;
        this.#pendingLine = this.#line;
      }
      const found = this.#next(chunk, at);
      this.#line += newlinesIn(chunk.slice(at, found.next));
      at = found.next;
      if (found.isOver) break;
      if (!found.isEnd) continue;
      yield { text: this.#pending + chunk.slice(start, at), line: this.#pendingLine };
      this.#pending = '';
      this.#pendingLine = this.#line;
      start = at;
    }
    this.#pending += chunk.slice(start);
    if (this.#pending.length > ENTRY_CHARACTERS_MAX) this.#isBroken = true;
  }

  /** What is left after the last piece, when it is the beginning of an entry. */
  rest(): Entry | undefined {
    const text = this.#pending.replace(/^(\s|#[^\n]*)+/, '');
    return text === '' ? undefined : { text, line: this.#pendingLine };
  }

  /** Blanks before an entry belong to none. */
  get #isBetween(): boolean {
    return this.#depth === 0 && this.#inside === 'text';
  }

  /** Goes on to behind the next character that means anything, or to the end of the piece. */
  #next(chunk: string, at: number): { readonly next: number; readonly isEnd: boolean; readonly isOver: boolean } {
    const pattern = MEANING[this.#inside];
    pattern.lastIndex = at;
    const index = pattern.exec(chunk)?.index;
    if (index === undefined) return { next: chunk.length, isEnd: false, isOver: true };
    return { next: index + 1, isEnd: this.#step(chunk[index]!), isOver: false };
  }

  /** Whether an entry ends with this character. */
  #step(character: string): boolean {
    switch (this.#inside) {
      case 'escape':
        this.#inside = 'string';
        return false;
      case 'string':
        this.#inside = character === '"' ? 'text' : 'escape';
        return false;
      case 'comment':
        this.#inside = 'text';
        return false;
      case 'text':
        return this.#stepText(character);
      default:
        return this.#inside satisfies never;
    }
  }

  #stepText(character: string): boolean {
    if (character === '"') this.#inside = 'string';
    else if (character === '#') this.#inside = 'comment';
    else if (character === '{') this.#depth++;
    else if (character === '}') {
      this.#depth = Math.max(0, this.#depth - 1);
      return this.#depth === 0;
    } else return this.#depth === 0;
    return false;
  }
}

const BLANK = /\s+/y;
/** Characters that mean something where a reader stands. */
const MEANING: Readonly<Record<Inside, RegExp>> = {
  text: /["#{};]/g,
  string: /["\\]/g,
  escape: /[\s\S]/g,
  comment: /\n/g,
};
