/**
 * The inner form that many options share: a row of code, length, value. Option 43 (RFC 2132 8.4) may hold pad and end codes;
 * options 82 (RFC 3046 2.0) and 125 (RFC 3925 4) have neither, there 0 and 255 are codes like any other.
 */
import { assert, bad, ok, type Read } from '../units.ts';
import { copyOf } from './octets.ts';

export interface SubOption {
  readonly code: number;
  readonly bytes: Uint8Array;
}

/** Whether the codes 0 and 255 are pad and end, or plain codes. */
export type SubOptionStyle = 'pad-and-end' | 'plain';

/** The sub-options in order, instances of one code kept apart. The values are copies. */
export function readSubOptions(bytes: Uint8Array, style: SubOptionStyle): Read<SubOption[]> {
  const found: SubOption[] = [];
  let at = 0;
  while (at < bytes.length) {
    const code = bytes[at]!;
    if (style === 'pad-and-end') {
      if (code === 255) break;
      if (code === 0) {
        at++;
        continue;
      }
    }
    if (at + 1 >= bytes.length) return bad(`sub-option ${code} has no length`, at);
    const end = at + 2 + bytes[at + 1]!;
    if (end > bytes.length) return bad(`sub-option ${code} runs past the end`, at);
    found.push({ code, bytes: copyOf(bytes, at + 2, end) });
    at = end;
  }
  return ok(found);
}

/** Writes the sub-options in the given order. Each value must have at most 255 bytes. */
export function writeSubOptions(subOptions: readonly SubOption[], style: SubOptionStyle): Uint8Array {
  let size = 0;
  for (const { code, bytes } of subOptions) {
    assert(bytes.length <= 255, 'a sub-option has at most 255 bytes');
    assert(code >= 0 && code <= 255, 'a sub-option code is one octet');
    assert(style === 'plain' || (code !== 0 && code !== 255), 'pad and end are not sub-options');
    size += 2 + bytes.length;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const { code, bytes } of subOptions) {
    whole[at] = code;
    whole[at + 1] = bytes.length;
    whole.set(bytes, at + 2);
    at += 2 + bytes.length;
  }
  return whole;
}
