/** From a scope as a person wrote it to the addresses that the binding table must know. */
import { assert, fromHex, type Ip4, parseIp4, prefixLengthOf } from '../../wire/units.ts';
import type { PoolShape } from '../bindings/binding.ts';
import type { Scope } from './model.ts';

/**
 * The shape of a scope's pool. The scope must have passed `parseScope` and `checkScope`; exclusions come out sorted, clipped to
 * the range and joined where they touch, reserved addresses sorted.
 */
export function poolShapeOf(scope: Scope): PoolShape {
  const firstAddress = addressOf(scope.startRange);
  const lastAddress = addressOf(scope.endRange);
  return {
    scopeId: addressOf(scope.scopeId),
    prefixLength: prefixOf(scope),
    firstAddress,
    lastAddress,
    exclusions: joined(
      scope.exclusions
        .map((range) => ({
          first: Math.max(addressOf(range.start), firstAddress) as Ip4,
          last: Math.min(addressOf(range.end), lastAddress) as Ip4,
        }))
        .filter((range) => range.first <= range.last),
    ),
    reserved: scope.reservations.map((reservation) => addressOf(reservation.address)).sort((a, b) => a - b),
  };
}

/** The prefix length of a checked scope. */
export function prefixOf(scope: Scope): number {
  const prefixLength = prefixLengthOf(addressOf(scope.subnetMask));
  assert(prefixLength !== undefined, 'the mask of a checked scope is contiguous');
  return prefixLength;
}

/** Reads an address of a configuration that was parsed before. */
export function addressOf(text: string): Ip4 {
  const address = parseIp4(text);
  assert(address !== undefined, 'an address in a parsed configuration is a dotted quad');
  return address;
}

/** Reads hexadecimal of a configuration that was parsed before. */
export function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  assert(bytes !== undefined, 'hexadecimal in a parsed configuration is made of pairs');
  return bytes;
}

interface Span {
  readonly first: Ip4;
  readonly last: Ip4;
}

function joined(spans: Span[]): Span[] {
  spans.sort((a, b) => a.first - b.first);
  const out: Span[] = [];
  for (const span of spans) {
    const before = out[out.length - 1];
    if (before !== undefined && span.first <= before.last + 1) {
      out[out.length - 1] = { first: before.first, last: Math.max(before.last, span.last) as Ip4 };
    } else {
      out.push(span);
    }
  }
  return out;
}
