/** The report of an import as text: what was carried over, what with a change, and what not, with the totals. */
import type { Carried, ImportPlan, ReportLine } from '../../import/plan.ts';
import { shown, tableLines } from './table.ts';

const GROUPS: readonly (readonly [Carried, string])[] = [
  ['carried', 'Carried over'],
  ['changed', 'Carried over with a change'],
  ['not-carried', 'Not carried over'],
];

export interface ReportOptions {
  readonly width: number | undefined;
  /** Only what an operator has to look at. */
  readonly isShort: boolean;
}

export function reportLines(report: readonly ReportLine[], options: ReportOptions): string[] {
  const lines: string[] = [];
  const files = new Set(report.map((line) => line.file));
  for (const [carried, title] of GROUPS) {
    const group = report.filter((line) => line.carried === carried);
    if (group.length === 0 || (options.isShort && carried === 'carried')) continue;
    lines.push(`${title}: ${group.length}`);
    const columns = [
      ...(files.size > 1 ? [{ title: 'FILE' }] : []),
      { title: 'LINE', isNumber: true },
      { title: 'STATEMENT' },
      { title: 'OUTCOME' },
    ];
    const rows = group.map((line) => [
      ...(files.size > 1 ? [line.file] : []),
      line.line === 0 ? '' : String(line.line),
      cut(line.statement),
      line.advice === null ? line.outcome : `${line.outcome}. ${line.advice}`,
    ]);
    lines.push(...tableLines(columns, rows, options.width), '');
  }
  lines.push(totalsLine(report));
  return lines;
}

export function totalsLine(report: readonly ReportLine[]): string {
  const count = (carried: Carried): number => report.filter((line) => line.carried === carried).length;
  return `${report.length} statements: ${count('carried')} carried over, ${count('changed')} with a change, ${count('not-carried')} not.`;
}

const STATEMENT_WIDTH_MAX = 48;

function cut(statement: string): string {
  const text = shown(statement);
  return text.length > STATEMENT_WIDTH_MAX ? `${text.slice(0, STATEMENT_WIDTH_MAX - 1)}…` : text;
}

/** What a plan holds, in one line. */
export function planLine(plan: ImportPlan): string {
  const reservations = plan.scopes.reduce((count, scope) => count + scope.reservations.length, 0);
  const parts = [
    `${plan.scopes.length} scopes`,
    `${reservations} reservations`,
    `${plan.server.options?.length ?? 0} options of the server`,
    `${plan.optionDefinitions.length} option definitions`,
    `${plan.relationships.length} relationships`,
  ];
  return `The file has ${parts.join(', ')}.`;
}
