/**
 * Names of the simulated servers. A relationship has two sides, `a` the primary and `b` the secondary, whatever else they are. In a
 * world with one pair the servers are named like their sides; a third one, `c`, is in relationships of its own with both.
 */

export type Side = 'a' | 'b';
export const SIDES: readonly Side[] = ['a', 'b'];

export type HostName = Side | 'c';

export function otherSide(side: Side): Side {
  return side === 'a' ? 'b' : 'a';
}

/** A relationship: its name, and which server is its primary and its secondary. */
export interface PairNames {
  readonly name: string;
  readonly hosts: Readonly<Record<Side, HostName>>;
}

/** Every server is the primary of one and the secondary of another. */
export const PAIRS: readonly PairNames[] = [
  { name: 'pair', hosts: { a: 'a', b: 'b' } },
  { name: 'pair-2', hosts: { a: 'c', b: 'a' } },
  { name: 'pair-3', hosts: { a: 'b', b: 'c' } },
];

export function sideOf(pair: PairNames, host: HostName): Side | undefined {
  return SIDES.find((side) => pair.hosts[side] === host);
}
