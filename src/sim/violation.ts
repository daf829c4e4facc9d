/** What the checker says when a rule does not hold. */
import type { Ip4 } from '../wire/units.ts';
import type { RuleId } from './rules.ts';

export interface Violation {
  readonly rule: RuleId;
  readonly atMs: number;
  readonly what: string;
  /** The address that it is about, for the story. */
  readonly address?: Ip4 | undefined;
}

/** `address`: where the breach shows. Without one no exception of the specification can cover it. */
export type Report = (rule: RuleId, what: string, address?: Ip4) => void;
