/** All clauses, in the order of the page. */
import { BINDING_TABLES } from './bindings.ts';
import type { ClauseTable } from './clause.ts';
import { DRAFT_TABLES } from './draft.ts';
import { LINK_TABLES } from './link.ts';
import { STATE_TABLES } from './states.ts';
import { TRANSITION_TABLES } from './transitions.ts';
import { WIRE_TABLES } from './wire.ts';

export const CLAUSE_TABLES: readonly ClauseTable[] = inOrder([
  ...WIRE_TABLES,
  ...LINK_TABLES,
  ...DRAFT_TABLES,
  ...BINDING_TABLES,
  ...STATE_TABLES,
  ...TRANSITION_TABLES,
]);

/** By section, those of the draft last; tables of one section stay as they are. */
function inOrder(tables: readonly ClauseTable[]): ClauseTable[] {
  const key = ({ section }: ClauseTable): number[] => (section === 'D' ? [99] : section.split('.').map(Number));
  return [...tables].sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    return left[0]! - right[0]! || (left[1] ?? 0) - (right[1] ?? 0);
  });
}
