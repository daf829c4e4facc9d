/**
 * One binding update as options, and back (failover specification 1.6, 2.6, 3.3 to 3.5). What a profile must not send is
 * left out here; what cannot be an update becomes a reject instead of an error of the connection (specification 5.4).
 */
import type { Ip4 } from '../units.ts';
import { readU32, swappedIp4, writeU32 } from './bytes.ts';
import {
  BINDING_STATES,
  type BindingState,
  type BindingUpdate,
  type RejectReason,
  type UnreadableUpdate,
  type WireProfile,
} from './messages.ts';
import { bindingStateOf } from './numbers.ts';
import type { OptionCode, OptionValues } from './options.ts';

/** Contents of option 61: what a DHCP option can carry. */
export const CLIENT_ID_BYTES_MAX = 255;
/** htype and an address of 1 .. 16 bytes, as chaddr holds. */
export const HARDWARE_BYTES_MIN = 2;
export const HARDWARE_BYTES_MAX = 17;

/** RFC 2131 section 3: the cookie before DHCP options; options 7 and 8 begin with it (specification 1.5). */
const MAGIC = Uint8Array.of(0x63, 0x82, 0x53, 0x63);
const DDNS_FLAGS_BYTES = 2;
const SCOPE_BYTES = 4;

/** Bits of the IP-flags byte of Windows (specification 3.3). */
export const VENDOR_FLAG_DELETED = 0x1;
export const VENDOR_FLAG_RELEASED = 0x2;
export const VENDOR_FLAG_DELETED_APART = 0x4;

const SUBNET_MASK = 33;
const VENDOR_CODES = [31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41] as const satisfies readonly OptionCode[];

/**
 * The options that Windows wants in an update beside the draft's (specification 3.5, 11.1 W14): mask, server, client type
 * DHCP, and the three of network access protection, zero.
 */
export function windowsVendorUse(mask: Ip4, server: Ip4): ReadonlyMap<number, Uint8Array> {
  const maskBytes = new Uint8Array(4);
  const serverBytes = new Uint8Array(4);
  writeU32(mask, maskBytes, 0);
  writeU32(server, serverBytes, 0);
  return new Map([
    [SUBNET_MASK, maskBytes],
    [34, serverBytes],
    [36, Uint8Array.of(1)],
    [37, Uint8Array.of(0)],
    [38, new Uint8Array(4)],
    [39, Uint8Array.of(0)],
  ]);
}

export function updateToOptions(update: BindingUpdate, profile: WireProfile): OptionValues {
  if (profile === 'msft') return updateToMsft(update);
  const values: OptionValues = { 2: update.address, 3: BINDING_STATES[update.state], 12: update.ipFlags };
  putClient(values, update);
  values[5] = update.hardware;
  if (update.state === 'abandoned' && profile !== 'twinlease') {
    // The draft forbids a client here, and dhcpd rejects it with 6 (specification 1.6, 2.7).
    values[4] = undefined;
    values[5] = undefined;
  }
  // Option 9 makes dhcpd close the connection, and 7 and 8 are of no use to it (specification 2.2, 2.14).
  if (profile !== 'isc') putServerData(values, update);
  if (profile === 'twinlease') values[40] = update.vendorUse?.get(40);
  return values;
}

function putClient(values: OptionValues, update: BindingUpdate): void {
  values[4] = update.clientId;
  values[6] = update.lastTransactionAt;
  values[13] = update.leaseEndAt;
  values[18] = update.potentialEndAt;
  values[25] = update.stateSinceAt;
}

function putServerData(values: OptionValues, update: BindingUpdate): void {
  values[7] = withPrefix(MAGIC, update.replyOptions);
  values[8] = withPrefix(MAGIC, update.requestOptions);
  if (update.ddns !== undefined) {
    const { flags, name } = update.ddns;
    values[9] = withPrefix(Uint8Array.of(flags >> 8, flags), name);
  }
}

function withPrefix(prefix: Uint8Array, rest: Uint8Array | undefined): Uint8Array | undefined {
  if (rest === undefined) return undefined;
  const bytes = new Uint8Array(prefix.length + rest.length);
  bytes.set(prefix);
  bytes.set(rest, prefix.length);
  return bytes;
}

/** Binding-status of Windows for a lease; ownership moves use another vocabulary (specification 3.4). */
const MSFT_LEASE_STATUS = {
  active: 0x01,
  released: 0x01,
  expired: 0x03,
  reset: 0x03,
  abandoned: 0x02,
} as const satisfies Record<Exclude<BindingState, 'free' | 'backup'>, number>;
const MSFT_STATE_BITS = 0x03;
const MSFT_STATUS_FREE = 1;
const MSFT_STATUS_BACKUP = 2;
/** By number of an ownership move: FREE, BACKUP, RECONCILE, FREE_UPDATE, BACKUP_UPDATE; 3 is none. */
const MSFT_OWNERSHIP: readonly (BindingState | undefined)[] = [
  undefined,
  'free',
  'backup',
  undefined,
  'free',
  'free',
  'backup',
];

function updateToMsft(update: BindingUpdate): OptionValues {
  const { state } = update;
  if (state === 'free' || state === 'backup') {
    // An ownership move has IP-flags 0 and nothing of a client (specification 3.4, 3.5).
    const status = state === 'free' ? MSFT_STATUS_FREE : MSFT_STATUS_BACKUP;
    return { 2: update.address, 3: status, 12: 0, 33: update.vendorUse?.get(SUBNET_MASK) };
  }
  const values: OptionValues = { 2: update.address, 3: MSFT_LEASE_STATUS[state], 12: msftFlags(update) };
  putClient(values, update);
  putServerData(values, update);
  // Without option 5 the status would be read as an ownership move, so an update without a client gets an empty one.
  const scope = new Uint8Array(SCOPE_BYTES);
  writeU32(swappedIp4(msftScope(update)), scope, 0);
  values[5] = withPrefix(scope, update.hardware ?? Uint8Array.of(0));
  for (const code of VENDOR_CODES) values[code] = update.vendorUse?.get(code);
  return values;
}

function msftFlags(update: BindingUpdate): number {
  const flags = (update.vendorFlags ?? 0) & 0xff;
  if (update.state === 'released') return flags | VENDOR_FLAG_RELEASED;
  return (flags & ~VENDOR_FLAG_RELEASED) | (update.state === 'reset' ? VENDOR_FLAG_DELETED : 0);
}

function msftScope(update: BindingUpdate): number {
  if (update.scopeId !== undefined) return update.scopeId;
  const mask = update.vendorUse?.get(SUBNET_MASK);
  return mask?.length === 4 ? (update.address & readU32(mask, 0)) >>> 0 : 0;
}

type UpdateRead =
  | { readonly kind: 'update'; readonly update: BindingUpdate }
  | { readonly kind: 'unreadable'; readonly unreadable: UnreadableUpdate };

/** `index` is the place of the group in its message. */
export function optionsToUpdate(values: OptionValues, profile: WireProfile, index: number): UpdateRead {
  const address = values[2];
  const reject = (rejectReason: RejectReason, message: string): UpdateRead => ({
    kind: 'unreadable',
    unreadable: { index, address: address ?? (0 as Ip4), rejectReason, message },
  });
  const status = values[3];
  if (address === undefined) return reject('missing-binding-information', 'binding update without address');
  if (status === undefined) return reject('missing-binding-information', 'binding update without binding-status');
  const isMsft = profile === 'msft';
  const state = isMsft ? msftState(status, values[12], values[5] !== undefined) : bindingStateOf(status);
  if (state === undefined) return reject('missing-binding-information', `binding-status ${status} is not defined`);
  const clientId = values[4];
  if (clientId !== undefined && (clientId.length === 0 || clientId.length > CLIENT_ID_BYTES_MAX))
    return reject('unknown', 'client-identifier is malformed');
  const hardware = isMsft ? msftHardware(values[5]) : { scopeId: undefined, bytes: values[5] };
  if (hardware === undefined || isMalformedHardware(hardware.bytes))
    return reject('unknown', 'client-hardware-address is malformed');
  const extras = serverData(values);
  if (extras === undefined) return reject('unknown', 'client options or DNS data are malformed');
  const update: BindingUpdate = {
    address,
    state,
    clientId,
    hardware: hardware.bytes,
    leaseEndAt: values[13],
    potentialEndAt: values[18],
    stateSinceAt: values[25],
    lastTransactionAt: values[6],
    ipFlags: isMsft ? undefined : values[12],
    ...extras,
    vendorUse: vendorUse(values),
    scopeId: hardware.scopeId,
    vendorFlags: isMsft ? values[12] : undefined,
  };
  return { kind: 'update', update };
}

/**
 * Windows's two vocabularies, told apart by option 5 (specification 3.4, R). An update marked as released is none of
 * the second kind even without a client, since an ownership move has IP-flags 0.
 */
function msftState(status: number, flags: number | undefined, hasHardware: boolean): BindingState | undefined {
  const isReleased = ((flags ?? 0) & VENDOR_FLAG_RELEASED) !== 0;
  if (!hasHardware && !isReleased) return MSFT_OWNERSHIP[status];
  if (isReleased) return 'released';
  const bits = status & MSFT_STATE_BITS;
  // Declined and doomed both become EXPIRED; offered counts as ACTIVE (specification 3.4).
  return bits === 2 || bits === 3 ? 'expired' : 'active';
}

function msftHardware(
  data: Uint8Array | undefined,
): { readonly scopeId: Ip4 | undefined; readonly bytes: Uint8Array | undefined } | undefined {
  if (data === undefined) return { scopeId: undefined, bytes: undefined };
  if (data.length < SCOPE_BYTES + 1) return undefined;
  const scopeId = swappedIp4(readU32(data, 0));
  const isEmpty = data.length === SCOPE_BYTES + 1 && data[SCOPE_BYTES] === 0;
  return { scopeId, bytes: isEmpty ? undefined : data.subarray(SCOPE_BYTES) };
}

function isMalformedHardware(hardware: Uint8Array | undefined): boolean {
  if (hardware === undefined) return false;
  return hardware.length < HARDWARE_BYTES_MIN || hardware.length > HARDWARE_BYTES_MAX || hardware[0] === 0;
}

/** Options 7, 8 and 9, or undefined when one of them is malformed. */
function serverData(values: OptionValues): Pick<BindingUpdate, 'ddns' | 'requestOptions' | 'replyOptions'> | undefined {
  const reply = values[7];
  const request = values[8];
  const dns = values[9];
  if (!hasMagic(reply) || !hasMagic(request)) return undefined;
  if (dns !== undefined && dns.length < DDNS_FLAGS_BYTES) return undefined;
  return {
    ddns: dns && { flags: (dns[0]! << 8) | dns[1]!, name: dns.subarray(DDNS_FLAGS_BYTES) },
    requestOptions: request?.subarray(MAGIC.length),
    replyOptions: reply?.subarray(MAGIC.length),
  };
}

function hasMagic(data: Uint8Array | undefined): boolean {
  return data === undefined || (data.length >= MAGIC.length && MAGIC.every((octet, i) => data[i] === octet));
}

function vendorUse(values: OptionValues): ReadonlyMap<number, Uint8Array> | undefined {
  let found: Map<number, Uint8Array> | undefined;
  for (const code of VENDOR_CODES) {
    const data = values[code];
    if (data === undefined) continue;
    found ??= new Map();
    found.set(code, data);
  }
  return found;
}
