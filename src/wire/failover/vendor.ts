/**
 * Option 29 between Twinlease servers: nested options of our own (failover specification 4.3). It stands only beside an
 * option 28 that begins with our vendor class; the number after the slash grows when an older reader would misread it.
 */
import { type Bad, bad, type Ip4 } from '../units.ts';
import { readU32, writeU16, writeU32 } from './bytes.ts';
import type { StoreMark } from './messages.ts';
import { listOptions, OPTION_HEADER_BYTES } from './options.ts';

/** Option 28 as Twinlease sends it. */
export const VENDOR_CLASS = 'twinlease/1';
const VENDOR_CLASS_START = 'twinlease/';
/**
 * Scopes that one STATE can name. Should more be without interface, the rest is left to the `secs` rule; a message that
 * could not be sent at all would be worse.
 */
export const UNSERVED_SCOPES_MAX = 400;

const STORE_MARK = 1;
const UNSERVED_SCOPES = 2;
const REMEMBERED_MARK = 3;
const STORE_ID_BYTES = 16;
const STORE_MARK_BYTES = STORE_ID_BYTES + 8;
const TWO_TO_32 = 2 ** 32;

export interface VendorOptions {
  readonly store?: StoreMark | undefined;
  /** What the sender remembers of the receiver's store. */
  readonly remembered?: StoreMark | undefined;
  readonly unservedScopeIds?: readonly Ip4[] | undefined;
}

export function isOwnVendorClass(vendorClass: string | undefined): boolean {
  return vendorClass?.startsWith(VENDOR_CLASS_START) === true;
}

/** The contents of option 29, or undefined when there is nothing to tell. A store id must have 16 bytes. */
export function vendorBytes(options: VendorOptions): Uint8Array | undefined {
  const { store, remembered } = options;
  const scopes = options.unservedScopeIds?.slice(0, UNSERVED_SCOPES_MAX);
  if (store === undefined && remembered === undefined && scopes === undefined) return undefined;
  const markSize = OPTION_HEADER_BYTES + STORE_MARK_BYTES;
  const marksSize = (store === undefined ? 0 : markSize) + (remembered === undefined ? 0 : markSize);
  const scopesSize = scopes === undefined ? 0 : OPTION_HEADER_BYTES + 4 * scopes.length;
  const out = new Uint8Array(marksSize + scopesSize);
  let at = store === undefined ? 0 : writeMark(STORE_MARK, store, out, 0);
  if (scopes !== undefined) {
    writeU16(UNSERVED_SCOPES, out, at);
    writeU16(4 * scopes.length, out, at + 2);
    for (let i = 0; i < scopes.length; i++) writeU32(scopes[i]!, out, at + OPTION_HEADER_BYTES + 4 * i);
    at += scopesSize;
  }
  if (remembered !== undefined) writeMark(REMEMBERED_MARK, remembered, out, at);
  return out;
}

function writeMark(code: number, mark: StoreMark, out: Uint8Array, at: number): number {
  writeU16(code, out, at);
  writeU16(STORE_MARK_BYTES, out, at + 2);
  out.set(mark.storeId.subarray(0, STORE_ID_BYTES), at + OPTION_HEADER_BYTES);
  const sequenceAt = at + OPTION_HEADER_BYTES + STORE_ID_BYTES;
  writeU32(Math.floor(mark.sequence / TWO_TO_32), out, sequenceAt);
  writeU32(mark.sequence % TWO_TO_32, out, sequenceAt + 4);
  return at + OPTION_HEADER_BYTES + STORE_MARK_BYTES;
}

/** Reads option 29; unknown nested options are skipped. `at` of a refusal counts within the option. */
export function readVendor(bytes: Uint8Array): { readonly kind: 'ok'; readonly value: VendorOptions } | Bad {
  const listed = listOptions(bytes, 0);
  if (listed.kind === 'bad') return listed;
  let store: StoreMark | undefined;
  let remembered: StoreMark | undefined;
  let unservedScopeIds: readonly Ip4[] | undefined;
  for (const option of listed.value) {
    const data = bytes.subarray(option.dataAt, option.end);
    if (option.code === STORE_MARK) {
      if (store !== undefined) return bad('nested option store mark appears twice', option.at);
      store = readStoreMark(data);
      if (store === undefined) return bad('nested option store mark is malformed', option.at);
    } else if (option.code === REMEMBERED_MARK) {
      if (remembered !== undefined) return bad('nested option remembered mark appears twice', option.at);
      remembered = readStoreMark(data);
      if (remembered === undefined) return bad('nested option remembered mark is malformed', option.at);
    } else if (option.code === UNSERVED_SCOPES) {
      if (unservedScopeIds !== undefined) return bad('nested option unserved scopes appears twice', option.at);
      if (data.length % 4 !== 0) return bad('nested option unserved scopes has a wrong length', option.at);
      unservedScopeIds = readScopes(data);
    }
  }
  return { kind: 'ok', value: { store, remembered, unservedScopeIds } };
}

function readStoreMark(data: Uint8Array): StoreMark | undefined {
  if (data.length !== STORE_MARK_BYTES) return undefined;
  const sequence = readU32(data, STORE_ID_BYTES) * TWO_TO_32 + readU32(data, STORE_ID_BYTES + 4);
  if (!Number.isSafeInteger(sequence)) return undefined;
  return { storeId: data.slice(0, STORE_ID_BYTES), sequence };
}

function readScopes(data: Uint8Array): readonly Ip4[] {
  const scopes: Ip4[] = [];
  for (let i = 0; i < data.length; i += 4) scopes.push(readU32(data, i) as Ip4);
  return scopes;
}
