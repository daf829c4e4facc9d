/** What the checker says when a rule does not hold. */

export interface Violation {
  /** `I1` to `I26` of failover specification 7, or a word for what has no number. */
  readonly rule: string;
  readonly atMs: number;
  readonly what: string;
}

export type Report = (rule: string, what: string) => void;
