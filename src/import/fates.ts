/**
 * What became of the parts of a source, and where each stands: a reader notes a fate for every part that it looked at, and the
 * report has a line for every part there is. What was never looked at is reported as not carried over, so that nothing is
 * dropped silently.
 */
import type { Carried, ReportLine } from './plan.ts';

export interface Fate {
  readonly carried: Carried;
  readonly outcome: string;
  readonly advice: string | null;
}

const RANK: Readonly<Record<Carried, number>> = { carried: 0, changed: 1, 'not-carried': 2 };
const STATEMENT_CHARACTERS_MAX = 120;

/** A part that takes effect in several places keeps the worst of its fates, in the words of the first place where it was so. */
export class Fates<Part extends object> {
  readonly #fates = new Map<Part, Fate>();

  note(part: Part | undefined, carried: Carried, outcome: string, advice: string | null = null): void {
    if (part === undefined) return;
    const before = this.#fates.get(part);
    if (before === undefined || RANK[carried] > RANK[before.carried])
      this.#fates.set(part, { carried, outcome, advice });
  }

  carried(part: Part | undefined, outcome: string): void {
    this.note(part, 'carried', outcome);
  }

  changed(part: Part | undefined, outcome: string, advice: string | null = null): void {
    this.note(part, 'changed', outcome, advice);
  }

  notCarried(part: Part | undefined, outcome: string, advice: string | null = null): void {
    this.note(part, 'not-carried', outcome, advice);
  }

  of(part: Part): Fate | undefined {
    return this.#fates.get(part);
  }

  has(part: Part): boolean {
    return this.#fates.has(part);
  }
}

export function reportLine(
  place: { readonly file: string; readonly line: number },
  statement: string,
  fate: Fate,
): ReportLine {
  return { ...fate, file: place.file, line: place.line, statement: shortened(statement) };
}

/** One line of bounded length, without characters that a terminal would act on. */
export function shortened(text: string): string {
  const plain = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return plain.length > STATEMENT_CHARACTERS_MAX ? `${plain.slice(0, STATEMENT_CHARACTERS_MAX - 3)}...` : plain;
}
