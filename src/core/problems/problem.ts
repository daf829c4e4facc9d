/**
 * A problem is a condition that an operator may meet: one entry of the catalogue (`catalogue.ts`) with its slots filled.
 * Log lines, REST problem documents, CLI exits and the manual are all made from the entry.
 */
export type Severity = 'info' | 'warning' | 'error';

export interface ProblemEntry {
  readonly severity: Severity;
  /** Text with {slots}. */
  readonly text: string;
  readonly why: string;
  readonly action: string;
  /** Windows's own code where it has one: MessageID is `DHCP n` or `WIN32 n` (management specification 1.8). */
  readonly windows?: { readonly family: 'DHCP' | 'WIN32'; readonly number: number; readonly symbol: string };
  /** Status of the REST door; 400 unless given. */
  readonly http?: number;
}

export interface Problem {
  /** Key of the catalogue, e.g. `failover/name-taken`. */
  readonly code: string;
  readonly slots: Readonly<Record<string, string | number>>;
  /** What it is about: a scope, a name, an address, a parameter. */
  readonly target?: string;
}
