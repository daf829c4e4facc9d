/**
 * Clients as operators write them: dash-separated lower-case hex, also without dashes or with colons (management specification
 * 2.2). Six octets are a hardware address, anything else is a client identifier, unless the caller says which.
 */
import type { Binding } from '../core/bindings/binding.ts';
import type { ReservationKey } from '../core/config/model.ts';
import { fromHex, sameBytes, toHex } from '../wire/units.ts';

export const CLIENT_KEYS = ['hardware', 'client-id', 'circuit-id', 'remote-id'] as const;
const HARDWARE_OCTETS = 6;
const ETHERNET = 1;

export function readClient(text: string, kind?: ReservationKey['kind']): ReservationKey | undefined {
  const bytes = fromHex(text.trim());
  if (bytes === undefined || bytes.length === 0 || bytes.length > 255) return undefined;
  const chosen = kind ?? (bytes.length === HARDWARE_OCTETS ? 'hardware' : 'client-id');
  if (chosen === 'hardware' && bytes.length > 16) return undefined;
  return { kind: chosen, hex: toHex(bytes) };
}

export function clientText(hex: string): string {
  return hex.replace(/(..)(?=.)/g, '$1-');
}

/** How a binding's client is shown: by its hardware address where it is an Ethernet one. */
export function bindingClientText(binding: Binding): string {
  const { hardware, clientId } = binding;
  if (hardware !== undefined && hardware.length > 1 && (hardware[0] === ETHERNET || clientId === undefined)) {
    return toHex(hardware.subarray(1), '-');
  }
  return clientId === undefined ? '' : toHex(clientId, '-');
}

/** Whether a binding is this client's, by hardware address or client identifier. */
export function isClientOf(binding: Binding, text: string): boolean {
  const bytes = fromHex(text.trim());
  if (bytes === undefined) return false;
  return sameBytes(binding.clientId, bytes) || sameBytes(binding.hardware?.subarray(1), bytes);
}
