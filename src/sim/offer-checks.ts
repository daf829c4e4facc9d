/**
 * What a client is offered that asks anew while a lease of its own runs: the address that it has (RFC 2131 4.3.1), on every server that
 * knows of it. Which client a binding is of is compared here name by name, whatever index the table looks it up in.
 */
import type { Binding } from '../core/bindings/binding.ts';
import type { DhcpPacket } from '../wire/dhcp/packet.ts';
import { type Ip4, sameBytes, toHex } from '../wire/units.ts';
import { describeBinding, shortAddress } from './describe.ts';
import type { ServerProcess } from './process.ts';
import { scopeIndexOf } from './setting.ts';
import type { Report } from './violation.ts';

export class OfferChecks {
  readonly #report: Report;
  readonly #looked: () => void;
  /** By client and scope: what it was granted last, by whichever server. */
  readonly #last = new Map<string, Ip4>();

  constructor(report: Report, looked: () => void) {
    this.#report = report;
    this.#looked = looked;
  }

  granted(packet: DhcpPacket, address: Ip4): void {
    this.#last.set(keyOf(packet, address), address);
  }

  offered(process: ServerProcess, packet: DhcpPacket, address: Ip4): void {
    const last = this.#last.get(keyOf(packet, address));
    if (last === undefined) return;
    const binding = process.table.find(last);
    // Addresses that are excluded or reserved now are not offered to whoever has them still.
    if (!process.table.isInPool(last) || !isHeldBy(binding, packet, process)) return;
    this.#looked();
    // It may have more than one, and get any of them.
    if (last === address || isHeldBy(process.table.find(address), packet, process)) return;
    this.#report(
      'I21',
      `${process.side} offers ${shortAddress(address)} to the client that has ${shortAddress(last)} ${describeBinding(binding)}`,
      last,
    );
  }
}

function isHeldBy(binding: Binding | undefined, packet: DhcpPacket, process: ServerProcess): boolean {
  if (binding?.state !== 'active' || binding.leaseEndAt <= process.now.wallAt) return false;
  const clientId = packet.options.get(61);
  if (clientId !== undefined || binding.clientId !== undefined) return sameBytes(clientId, binding.clientId);
  return sameBytes(binding.hardware?.subarray(1), packet.chaddr);
}

function keyOf(packet: DhcpPacket, address: Ip4): string {
  return `${toHex(packet.options.get(61) ?? packet.chaddr)} ${scopeIndexOf(address)}`;
}
