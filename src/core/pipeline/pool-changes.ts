/**
 * Addresses that enter a pool when its shape changes. One that was never used has no record of its own, so whose it is must be
 * said in the log: otherwise a replay, which knows only the last shape, would remember an owner from before it had left, and
 * the two servers could each take it for theirs.
 */
import type { Ip4 } from '../../wire/units.ts';
import { type AvailableState, type BindingTable, emptyBinding, type PoolShape } from '../bindings/binding.ts';

export interface AddressSpan {
  readonly first: Ip4;
  readonly last: Ip4;
}

/** What is in the pool now and was not before, ascending. */
export function enteringSpans(before: PoolShape | undefined, after: PoolShape): AddressSpan[] {
  return subtract(spansOf(after), before === undefined ? [] : spansOf(before));
}

/** Gives the never-used addresses of the span to the owner. Those with a record say themselves whose they are. */
export function giveSpan(bindings: BindingTable, { first, last }: AddressSpan, owner: AvailableState): void {
  for (let n = first as number; n <= last; n++) {
    const address = n as Ip4;
    const binding = bindings.find(address);
    if (binding === undefined || !bindings.isInPool(address)) continue;
    const isUnused =
      (binding.state === 'free' || binding.state === 'backup') &&
      binding.stateSinceAt === 0 &&
      binding.hardware === undefined;
    if (isUnused && binding.state !== owner) bindings.change(emptyBinding(address, owner));
  }
}

function spansOf(shape: PoolShape): AddressSpan[] {
  const holes = [...shape.exclusions, ...shape.reserved.map((address) => ({ first: address, last: address }))];
  return subtract(
    [{ first: shape.firstAddress, last: shape.lastAddress }],
    holes.sort((a, b) => a.first - b.first),
  );
}

/** Both ascending; holes may overlap. */
function subtract(spans: readonly AddressSpan[], holes: readonly AddressSpan[]): AddressSpan[] {
  const left: AddressSpan[] = [];
  for (const span of spans) {
    let from = span.first as number;
    for (const hole of holes) {
      if (hole.last < from) continue;
      if (hole.first > span.last) break;
      if (hole.first > from) left.push({ first: from as Ip4, last: (hole.first - 1) as Ip4 });
      from = hole.last + 1;
    }
    if (from <= span.last) left.push({ first: from as Ip4, last: span.last });
  }
  return left;
}
