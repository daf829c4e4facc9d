/** What runs have reached of the specification's tables (`cells.ts`), counted. */
import { ALL_CELLS } from './cells.ts';

export class Coverage {
  readonly counts = new Map<string, number>();

  reach(cell: string): void {
    this.counts.set(cell, (this.counts.get(cell) ?? 0) + 1);
  }
}

/** The cells that none of the runs reached, in the order of the specification. */
export function unreachedCells(counts: ReadonlyMap<string, number>): string[] {
  return ALL_CELLS.filter((cell) => !counts.has(cell));
}
