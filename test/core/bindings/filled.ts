/** Bindings of the size that the requirements name, and a table filled with them, for measurements. */
import type { Binding, BindingTable, PoolShape } from '../../../src/core/bindings/binding.ts';
import type { EpochSec, Ip4 } from '../../../src/wire/units.ts';

export const FIRST_ADDRESS = 0x0a000001;

/** One scope with a range of `size` addresses. */
export function millionShape(size: number): PoolShape {
  return {
    scopeId: 0x0a000000 as Ip4,
    prefixLength: 8,
    firstAddress: FIRST_ADDRESS as Ip4,
    lastAddress: (FIRST_ADDRESS + size - 1) as Ip4,
    exclusions: [],
    reserved: [],
  };
}

/** A lease with a 19-byte client identifier and a 20-byte host name. */
export function benchBinding(n: number): Binding {
  const clientId = new Uint8Array(19);
  const hardware = new Uint8Array(7);
  const hostName = new Uint8Array(20).fill(0x61);
  clientId[0] = 255;
  hardware[0] = 1;
  for (let i = 0, rest = n; i < 4; i++, rest >>>= 8) {
    clientId[15 + i] = rest & 255;
    hardware[3 + i] = rest & 255;
    hostName[i] = rest & 255;
  }
  return {
    address: (FIRST_ADDRESS + n) as Ip4,
    state: 'active',
    clientId,
    hardware,
    hostName,
    relayInfo: undefined,
    policy: undefined,
    dnsFlags: 0,
    leaseEndAt: (0x65000000 + ((n * 7919) % 691200)) as EpochSec,
    sentPotentialAt: 0x65100000 as EpochSec,
    ackedPotentialAt: 0x65100000 as EpochSec,
    recvPotentialAt: 0 as EpochSec,
    lastTransactionAt: 0x64fff000 as EpochSec,
    stateSinceAt: 0x64ff0000 as EpochSec,
    ipFlags: 0,
    dirty: false,
    told: true,
    ownedAs: 'free',
    grantedHere: true,
  };
}

/** Stores `howMany` bindings; answers how long all of it and the longest single change took. */
export function fillTable(table: BindingTable, howMany: number): { totalMs: number; longestMs: number } {
  let totalMs = 0;
  let longestMs = 0;
  for (let n = 0; n < howMany; n++) {
    const binding = benchBinding(n);
    const start = performance.now();
    table.change(binding);
    const spentMs = performance.now() - start;
    totalMs += spentMs;
    if (spentMs > longestMs) longestMs = spentMs;
  }
  return { totalMs, longestMs };
}
