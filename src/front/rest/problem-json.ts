/** Problems as `application/problem+json` (RFC 9457), with Windows's own code where it has one. */
import { entryOf, problemAdvice, problemMessageId, problemText } from '../../core/problems/catalogue.ts';
import type { Problem } from '../../core/problems/problem.ts';

export interface ProblemJson {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly severity: string;
  readonly why: string;
  readonly action: string;
  readonly target: string | null;
  readonly messageId: string | null;
  readonly windowsNumber: number | null;
  readonly windowsSymbol: string | null;
  /** Every problem of the request when there are several; the document itself is the first. */
  readonly problems?: readonly ProblemJson[];
}

export function problemJson(problem: Problem): ProblemJson {
  const entry = entryOf(problem.code);
  return {
    type: `urn:twinlease:problem:${problem.code}`,
    title: entry.text,
    status: entry.http ?? 400,
    detail: problemText(problem),
    code: problem.code,
    severity: entry.severity,
    ...problemAdvice(problem),
    target: problem.target ?? null,
    messageId: problemMessageId(problem) ?? null,
    windowsNumber: entry.windows?.number ?? null,
    windowsSymbol: entry.windows?.symbol ?? null,
  };
}

export function problemsJson(problems: readonly Problem[]): ProblemJson {
  const [first, ...others] = problems.map(problemJson);
  if (first === undefined) return problemJson({ code: 'server/internal', slots: {} });
  return others.length === 0 ? first : { ...first, problems: [first, ...others] };
}
