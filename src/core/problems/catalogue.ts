/**
 * Every condition an operator may meet, in one table. Log lines, REST problem documents, WS-Management faults, CLI exits and the
 * manual are all made from these entries, so a condition that is not here cannot be shown. Windows's numbers and symbols are
 * those of the management specification 1.8; the ones that have no cause in this program stand in `WINDOWS_WITHOUT_CAUSE`.
 */
import { CHANGE_PROBLEMS } from './catalogue-change.ts';
import { ENGINE_PROBLEMS } from './catalogue-engine.ts';
import { FOREIGN_PROBLEMS } from './catalogue-foreign.ts';
import { HOST_PROBLEMS } from './catalogue-host.ts';
import { REQUEST_PROBLEMS } from './catalogue-request.ts';
import { SHELL_PROBLEMS } from './catalogue-shell.ts';
import { UPKEEP_PROBLEMS } from './catalogue-upkeep.ts';
import type { Problem, ProblemEntry } from './problem.ts';

export const PROBLEMS = {
  ...REQUEST_PROBLEMS,
  ...CHANGE_PROBLEMS,
  ...ENGINE_PROBLEMS,
  ...FOREIGN_PROBLEMS,
  ...HOST_PROBLEMS,
  ...SHELL_PROBLEMS,
  ...UPKEEP_PROBLEMS,
} as const satisfies Readonly<Record<string, ProblemEntry>>;

export type ProblemCode = keyof typeof PROBLEMS;

/** The codes of the management specification 1.8 that nothing in this program can cause, and why. For the manual. */
export const WINDOWS_WITHOUT_CAUSE = [
  {
    number: 20112,
    symbol: 'ERROR_DHCP_SCOPE_RANGE_POLICY_RANGE_CONFLICT',
    reason: 'A policy here has no range of its own that could lie outside the range of its scope.',
  },
  {
    number: 20117,
    symbol: 'ERROR_DHCP_FO_RELATION_IS_SECONDARY',
    reason: 'No operation is limited to the primary: either server coordinates a change.',
  },
  {
    number: 20123,
    symbol: 'ERROR_DHCP_SERVER_NOT_RUNNING',
    reason:
      'The DHCP service and its partner door are one process: when it is down, the partner cannot be reached (20122).',
  },
  {
    number: 20126,
    symbol: 'ERROR_DHCP_REACHED_END_OF_SELECTION',
    reason: 'It ends an enumeration of the native interface; results here come whole.',
  },
  {
    number: 20127,
    symbol: 'ERROR_DHCP_FO_ADDSCOPE_LEASES_NOT_SYNCED',
    reason:
      'A scope that is added stays silent on the partner until the partner holds its leases, so it is never half there.',
  },
  {
    number: 259,
    symbol: 'ERROR_NO_MORE_ITEMS',
    reason: 'It ends an enumeration of the native interface; results here come whole.',
  },
] as const;

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code);
}

/** The entry of a code. A code of a newer partner is unknown here and is shown as what it is. */
export function entryOf(code: string): ProblemEntry {
  return isProblemCode(code) ? PROBLEMS[code] : PROBLEMS['partner/unknown-problem'];
}

/** The entry's text with its slots filled; a slot without a value shows its name. */
export function problemText(problem: Problem): string {
  return filled(entryOf(problem.code).text, problem);
}

/** Why it matters and what to do, with the slots filled in the same way. */
export function problemAdvice(problem: Problem): { readonly why: string; readonly action: string } {
  const { why, action } = entryOf(problem.code);
  return { why: filled(why, problem), action: filled(action, problem) };
}

function filled(text: string, problem: Problem): string {
  const slots: Readonly<Record<string, string | number>> = isProblemCode(problem.code)
    ? problem.slots
    : { code: problem.code, detail: JSON.stringify(problem.slots) };
  return text.replace(/\{([A-Za-z0-9]+)\}/g, (whole, slot: string) => String(slots[slot] ?? whole));
}

/** `DHCP n` or `WIN32 n` where Windows has the condition (management specification 1.8), else the catalogue's own code. */
export function problemMessageId(problem: Problem): string {
  const windows = entryOf(problem.code).windows;
  return windows === undefined ? problem.code : `${windows.family} ${windows.number}`;
}
