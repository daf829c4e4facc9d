/**
 * Short hands for the problems that operations answer: the slot `server` is filled everywhere, so that texts read like
 * Windows's own ("... on DHCP server H.").
 */
import type { ProblemCode } from '../core/problems/catalogue.ts';
import { isProblemCode } from '../core/problems/catalogue.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { failed, type Outcome, succeeded } from './operation.ts';

export function problem(
  control: Pick<Control, 'serverName'>,
  code: ProblemCode,
  slots: Problem['slots'] = {},
  target?: string,
): Problem {
  const filled = { server: control.serverName, ...slots };
  return target === undefined ? { code, slots: filled } : { code, slots: filled, target };
}

/** WIN32 87. */
export function invalid(parameter: string, why: string): Problem {
  return { code: 'request/invalid-parameter', slots: { parameter, why }, target: parameter };
}

/** A list of which some items failed: the rest is the value; when nothing is left, the failures are the answer. */
export function listed<T>(
  values: readonly T[],
  errors: readonly Problem[],
  warnings: readonly Problem[] = [],
): Outcome<T[]> {
  if (values.length === 0 && errors.length > 0) return failed(...errors);
  return succeeded([...values], warnings, errors);
}

/** Takes a problem that came from another server as it is, but never a code of ours with slots that are not text. */
export function foreignProblem(
  code: string,
  slots: Record<string, string | number>,
  target: string | undefined,
): Problem {
  if (isProblemCode(code)) return target === undefined ? { code, slots } : { code, slots, target };
  return { code: 'partner/unknown-problem', slots: { code, detail: JSON.stringify(slots) } };
}
