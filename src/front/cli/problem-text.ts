/** Problems as a person reads them: what happened, why it matters, what to do, and the code to search for. */
import type { ProblemJson } from '../rest/problem-json.ts';
import { shown } from './table.ts';

/** A problem document and, when it stands for several, each of them. */
export function refusalText(problem: ProblemJson): string {
  const all = problem.problems ?? [problem];
  return all.map((one) => problemLines('error', one)).join('');
}

export function problemLines(label: 'error' | 'warning', problem: ProblemJson): string {
  // A text may hold lines that are to be entered elsewhere.
  const lines = `${label}: ${problem.detail}`.split('\n').map(shown);
  if (typeof problem.why === 'string' && problem.why !== '') lines.push(`  why:  ${shown(problem.why)}`);
  if (typeof problem.action === 'string' && problem.action !== '') lines.push(`  do:   ${shown(problem.action)}`);
  lines.push(`  code: ${shown(codesOf(problem))}`);
  return `${lines.join('\n')}\n`;
}

function codesOf(problem: ProblemJson): string {
  const windows = problem.windowsNumber === null ? undefined : problem.messageId;
  if (typeof windows !== 'string' || windows === problem.code) return problem.code;
  const symbol = typeof problem.windowsSymbol === 'string' ? ` ${problem.windowsSymbol}` : '';
  return `${problem.code} (${windows}${symbol})`;
}
