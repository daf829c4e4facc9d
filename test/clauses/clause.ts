/**
 * The clauses of the failover specification as rows, said in our own words. Each row is covered by the tests whose names carry
 * its id in brackets, as `[4.4 normal/recover]`; `elsewhere.ts` adds tests that cover a row under a name of their own.
 */
export interface Clause {
  /** Section, a space, and the row's own name. */
  readonly id: string;
  readonly rule: string;
  /** Where the clause is knowingly not followed between our own servers: why, and what is done. Its test shows that. */
  readonly instead?: string;
}

export interface ClauseTable {
  readonly section: string;
  readonly title: string;
  readonly clauses: readonly Clause[];
}

/** A rule, or a rule with what is done in its place. */
export type Wording = string | readonly [rule: string, instead: string];

/** Rows of one section by their names. */
export function table(section: string, title: string, rows: Readonly<Record<string, Wording>>): ClauseTable {
  return {
    section,
    title,
    clauses: Object.entries(rows).map(([name, wording]) => {
      const id = `${section} ${name}`;
      return typeof wording === 'string' ? { id, rule: wording } : { id, rule: wording[0], instead: wording[1] };
    }),
  };
}

const TAG = /\s*\[((?:\d+\.\d+|D) [^\]]+)\]/g;
/** The rules of 2.14 have tests that begin with their number. */
const RULE = /^2\.14-(\d+)\b/;

/** The ids that a test's name claims, and the name without them. */
export function idsIn(testName: string): { readonly ids: readonly string[]; readonly name: string } {
  const ids = [...testName.matchAll(TAG)].map((match) => match[1]!);
  const rule = RULE.exec(testName);
  if (rule !== null) ids.push(`2.14 ${rule[1]}`);
  return { ids, name: testName.replace(TAG, '') };
}
