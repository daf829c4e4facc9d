/**
 * What became of each statement. A statement that has an effect in several places gets one line: the worst that happened to it, in
 * the words of the first place where that was so.
 */
import type { Carried, ReportLine } from '../plan.ts';
import { type Statement, statementText } from './statements.ts';

interface Fate {
  readonly carried: Carried;
  readonly outcome: string;
  readonly advice: string | null;
}

const RANK: Readonly<Record<Carried, number>> = { carried: 0, changed: 1, 'not-carried': 2 };

export class Report {
  readonly #fates = new Map<Statement, Fate>();
  readonly #idle = new Map<Statement, Fate>();

  note(statement: Statement, carried: Carried, outcome: string, advice: string | null = null): void {
    const before = this.#fates.get(statement);
    if (before === undefined || RANK[carried] > RANK[before.carried])
      this.#fates.set(statement, { carried, outcome, advice });
  }

  carried(statement: Statement, outcome: string): void {
    this.note(statement, 'carried', outcome);
  }

  changed(statement: Statement, outcome: string, advice: string | null = null): void {
    this.note(statement, 'changed', outcome, advice);
  }

  notCarried(statement: Statement, outcome: string, advice: string | null = null): void {
    this.note(statement, 'not-carried', outcome, advice);
  }

  /** For a statement that nothing else is said of: it has no effect, in dhcpd neither. */
  idle(statement: Statement, outcome: string): void {
    this.#idle.set(statement, { carried: 'carried', outcome, advice: null });
  }

  /** The statement with everything inside it that has no fate of its own. */
  wholeNotCarried(statement: Statement, outcome: string, advice: string | null = null): void {
    this.notCarried(statement, outcome, advice);
    for (const inner of statement.block ?? [])
      if (!this.has(inner)) this.wholeNotCarried(inner, `the block of line ${statement.line} is not carried over`);
  }

  has(statement: Statement): boolean {
    return this.#fates.has(statement);
  }

  /** One line for each statement, in the order of the files. */
  lines(statements: readonly Statement[]): ReportLine[] {
    const lines: ReportLine[] = [];
    const add = (list: readonly Statement[]): void => {
      for (const statement of list) {
        const fate = this.#fates.get(statement) ?? this.#idle.get(statement) ?? NO_EFFECT;
        lines.push({ file: statement.file, line: statement.line, statement: statementText(statement), ...fate });
        if (statement.block !== undefined) add(statement.block);
      }
    };
    add(statements);
    return lines;
  }
}

const NO_EFFECT: Fate = {
  carried: 'not-carried',
  outcome: 'no network, client or class that was carried over uses it',
  advice: null,
};
