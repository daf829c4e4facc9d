/**
 * Faults that the rules of `core/config` find, as problems of the catalogue. A fault carries Windows's number; there is one
 * entry for each number, and the words come from the fault.
 */
import type { Problem } from './problem.ts';

/** What the two kinds of fault of `core/config` have in common; faults of shape have no number of their own. */
export interface FaultLike {
  readonly path: string;
  readonly what: string;
  readonly fix: string;
  readonly windowsCode?: number;
}

const CODES: Readonly<Record<number, string>> = {
  20005: 'config/scope-unknown',
  20022: 'config/reserved-twice',
  20023: 'config/invalid-range',
  20052: 'config/scope-exists',
  20113: 'config/scope-shared',
  20114: 'config/name-taken',
  20125: 'config/name-too-long',
  20128: 'config/too-many-relationships',
  20131: 'config/bootp-scope',
};

export function faultProblem(fault: FaultLike): Problem {
  const path = fault.path === '' ? 'The configuration' : fault.path;
  return {
    code: CODES[fault.windowsCode ?? 87] ?? 'config/invalid',
    slots: { path, what: fault.what, fix: fault.fix },
    target: path,
  };
}
