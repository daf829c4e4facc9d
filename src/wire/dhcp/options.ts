/**
 * The meaning of options: raw value to data and back, by number. The table of numbers, names and types is in
 * `option-table.ts`, the forms in `option-codecs.ts`, what operators read and write in `option-text.ts`.
 */
import type { Read } from '../units.ts';
import { OPTION_CODECS, type OptionData } from './option-codecs.ts';
import { optionType } from './option-table.ts';

export type { ClasslessRoute, FqdnData, OptionData, VendorClass, VendorOptions } from './option-codecs.ts';
export { FQDN_E, FQDN_N, FQDN_O, FQDN_S } from './option-codecs.ts';
export type { DhcpOptionName, OptionRow, OptionType } from './option-table.ts';
export { DHCP_OPTIONS, optionByName, optionName, optionRow, optionType } from './option-table.ts';
export type { OptionDefinitionType } from './option-text.ts';
export { OPTION_VALUE_BYTES_MAX, optionFromText, optionToText, standardDefinitionOf } from './option-text.ts';
export type { SubOption } from './sub-options.ts';

/** Reads a whole value (instances joined). Options that are not registered are `bytes`. The result is a copy. */
export function decodeOption(code: number, bytes: Uint8Array): Read<OptionData> {
  return OPTION_CODECS[optionType(code)].decode(bytes);
}

/** Writes a value. `data` must have the kind of the option's type, or be `bytes`, and be within the bounds of its form. */
export function encodeOption(code: number, data: OptionData): Uint8Array {
  return OPTION_CODECS[optionType(code)].encode(data);
}
