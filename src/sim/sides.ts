/** The two servers of the simulated pair: `a` is the primary, `b` the secondary, whatever else they are. */

export type Side = 'a' | 'b';
export const SIDES: readonly Side[] = ['a', 'b'];

export function otherSide(side: Side): Side {
  return side === 'a' ? 'b' : 'a';
}
