/**
 * The reservations of one scope, found by client and by address. A client may be named in four ways; an explicit client
 * identifier is the narrowest and wins, then the hardware address, then the place where it is plugged in.
 */
import { type Ip4, sameBytes, toHex } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import { reservationKeyText } from '../config/checks.ts';
import type { OptionDefinition, Reservation, ReservationKey, Scope } from '../config/model.ts';
import { addressOf } from '../config/pool-shape.ts';
import { type ClientNames, type ClientView, isSameClient, uint32In } from './client-view.ts';
import { IP_FLAG_RESERVED, OPTION } from './option-codes.ts';
import { type OptionLevel, optionLevelOf } from './option-levels.ts';

export interface ReservedAddress {
  readonly address: Ip4;
  readonly reservation: Reservation;
  readonly options: OptionLevel;
  /** Lease time of its own (option 51), undefined for the scope's. */
  readonly leaseSec: number | undefined;
}

export interface ReservationIndex {
  /** The reservation of this client, whoever has the address now. `mayTrustRelay` lets option 82 name it. */
  ofClient(view: ClientView, mayTrustRelay: boolean): ReservedAddress | undefined;
  at(address: Ip4): ReservedAddress | undefined;
}

const NO_RESERVATIONS: ReservationIndex = { ofClient: () => undefined, at: () => undefined };

export function makeReservationIndex(scope: Scope, definitions: readonly OptionDefinition[]): ReservationIndex {
  if (scope.reservations.length === 0) return NO_RESERVATIONS;
  const byClient = new Map<string, ReservedAddress>();
  const byAddress = new Map<Ip4, ReservedAddress>();
  const kinds = new Set<string>();
  for (const reservation of scope.reservations) {
    const options = optionLevelOf(reservation.options, definitions);
    const reserved: ReservedAddress = {
      address: addressOf(reservation.address),
      reservation,
      options,
      leaseSec: uint32In(options.plain.get(OPTION.leaseTime)),
    };
    byClient.set(reservationKeyText(reservation.client), reserved);
    byAddress.set(reserved.address, reserved);
    kinds.add(reservation.client.kind);
  }
  const find = (view: ClientView, mayTrustRelay: boolean): ReservedAddress | undefined => {
    for (const text of clientTexts(view, mayTrustRelay, kinds)) {
      const reserved = byClient.get(text);
      if (reserved !== undefined && isForKind(reserved.reservation, view)) return reserved;
    }
    return undefined;
  };
  // The same is asked many times while one packet is decided.
  let lastView: ClientView | undefined;
  let lastTrust = false;
  let lastFound: ReservedAddress | undefined;
  return {
    at: (address) => byAddress.get(address),
    ofClient(view, mayTrustRelay) {
      if (view === lastView && mayTrustRelay === lastTrust) return lastFound;
      lastFound = find(view, mayTrustRelay);
      lastView = view;
      lastTrust = mayTrustRelay;
      return lastFound;
    },
  };
}

/**
 * Whether the client of a packet is the one whom the binding of an address is about. For a reservation by hardware address the
 * machine counts, whatever identifier it sends: network boot and the system that follows send different ones.
 */
export function isHolder(binding: Binding, view: ClientNames, reserved: ReservedAddress | undefined): boolean {
  if (isSameClient(view, binding.clientId, binding.hardware)) return true;
  if (isKnownByHardware(binding) && sameBytes(binding.hardware, view.hardware)) return true;
  if (isNamedByAddress(binding, view)) return true;
  if (
    reserved === undefined ||
    reserved.address !== binding.address ||
    reserved.reservation.client.kind !== 'hardware'
  ) {
    return false;
  }
  return isHardwareOf(reserved.reservation.client, binding.hardware);
}

/**
 * Whether a client of whom nothing but its names is known is the one that the address is reserved for. Reservations by place
 * (option 82) are nobody's by name.
 */
export function isReservedFor({ reservation: { client } }: ReservedAddress, names: ClientNames): boolean {
  if (client.kind === 'client-id') return names.clientId !== undefined && toHex(names.clientId) === client.hex;
  return client.kind === 'hardware' && isHardwareOf(client, names.hardware);
}

function isHardwareOf(
  { hex, htype = 1 }: ReservationKey & { readonly kind: 'hardware' },
  hardware: Uint8Array | undefined,
): boolean {
  return hardware !== undefined && hardware[0] === htype && toHex(hardware.subarray(1)) === hex;
}

/**
 * Whether the binding was made under a reservation by hardware address. Such a binding names its client by that address alone, as
 * Windows does: with the identifier of the moment in it, the partner would take the next one for another client and refuse the
 * update. The reservation may be gone since; the client keeps its address.
 */
export function isKnownByHardware(binding: Binding): boolean {
  return (binding.ipFlags & IP_FLAG_RESERVED) !== 0 && binding.clientId === undefined && binding.hardware !== undefined;
}

/**
 * A client without identifier on a binding whose identifier is that client's hardware type and address (RFC 2132 9.14). Windows
 * shows both kinds of client alike, so a lease imported from there names its client so whether or not it sends an identifier.
 */
export function isNamedByAddress(binding: Binding, view: ClientNames): boolean {
  if (view.clientId !== undefined || binding.hardware === undefined) return false;
  return sameBytes(binding.hardware, view.hardware) && sameBytes(binding.clientId, binding.hardware);
}

function clientTexts(view: ClientView, mayTrustRelay: boolean, kinds: ReadonlySet<string>): string[] {
  const texts: string[] = [];
  if (kinds.has('client-id') && view.clientId !== undefined) texts.push(`client-id ${toHex(view.clientId)}`);
  if (kinds.has('hardware') && view.hardware !== undefined) {
    texts.push(`hardware ${view.hardware[0]} ${toHex(view.hardware.subarray(1))}`);
  }
  if (!mayTrustRelay || view.relay === undefined) return texts;
  if (kinds.has('circuit-id') && view.relay.circuitId !== undefined) {
    texts.push(`circuit-id ${toHex(view.relay.circuitId)}`);
  }
  if (kinds.has('remote-id') && view.relay.remoteId !== undefined)
    texts.push(`remote-id ${toHex(view.relay.remoteId)}`);
  return texts;
}

function isForKind(reservation: Reservation, view: ClientView): boolean {
  if (reservation.type === 'Both') return true;
  return (reservation.type === 'Bootp') === (view.messageType === 'bootp');
}
