/**
 * One binding update as options, and back (failover specification 1.6, 2.6, 3.3 to 3.5). What a profile must not send is
 * left out here; what cannot be an update becomes a reject instead of an error of the connection (specification 5.4).
 */
import { type EpochSec, INFINITE_AT, type Ip4 } from '../units.ts';
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
import { noOptions, type OptionCode, type OptionValues } from './options.ts';
import { utf16Bytes } from './text.ts';
import {
  WINDOWS_ACCESS_OPTIONS,
  WINDOWS_CLIENT_TYPE,
  WINDOWS_LEASE_STATUS,
  WINDOWS_OWNERSHIP,
  WINDOWS_STATE_BITS,
} from './unverified.ts';

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
const VENDOR_FLAG_DELETED = 0x1;
const VENDOR_FLAG_RELEASED = 0x2;
export const VENDOR_FLAG_DELETED_APART = 0x4;

const SUBNET_MASK = 33;
const SERVER_IP = 34;
const CLIENT_TYPE = 36;
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
  const values = new Map<number, Uint8Array>([
    [SUBNET_MASK, maskBytes],
    [SERVER_IP, serverBytes],
    [CLIENT_TYPE, Uint8Array.of(WINDOWS_CLIENT_TYPE)],
  ]);
  for (const [code, size] of WINDOWS_ACCESS_OPTIONS) values.set(code, new Uint8Array(size));
  return values;
}

/** Text of options 31, 32, 35 and 40: UTF-16LE with a final NUL (specification 3.2). */
export function windowsText(text: string): Uint8Array {
  return utf16Bytes(`${text}\0`);
}

export function updateToOptions(update: BindingUpdate, profile: WireProfile): OptionValues {
  if (profile === 'msft') return updateToMsft(update);
  const values = noOptions();
  values[2] = update.address;
  values[3] = BINDING_STATES[update.state];
  values[12] = update.ipFlags;
  putClient(values, update);
  if (profile === 'isc') {
    values[13] = forEverInIsc(update.leaseEndAt);
    values[18] = forEverInIsc(update.potentialEndAt);
  }
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

/** dhcpd's end of a lease without end (specification 5.3, 6.1). Exactly this value; real times pass it in January 2038. */
const ISC_INFINITE_AT = 0x7fffffff as EpochSec;

function forEverInIsc(at: EpochSec | undefined): EpochSec | undefined {
  return at === INFINITE_AT ? ISC_INFINITE_AT : at;
}

function fromIsc(at: EpochSec | undefined, profile: WireProfile): EpochSec | undefined {
  return profile === 'isc' && at === ISC_INFINITE_AT ? INFINITE_AT : at;
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

interface Ownership {
  readonly state: 'free' | 'backup';
  readonly move: BindingUpdate['move'];
}

/** Windows's words for ownership by number; 3 is none. */
const MSFT_OWNERSHIP: ReadonlyMap<number, Ownership> = new Map([
  [WINDOWS_OWNERSHIP.free, { state: 'free', move: undefined }],
  [WINDOWS_OWNERSHIP.backup, { state: 'backup', move: undefined }],
  [WINDOWS_OWNERSHIP.reconcile, { state: 'free', move: 'reconcile' }],
  [WINDOWS_OWNERSHIP.freeResent, { state: 'free', move: 'resent' }],
  [WINDOWS_OWNERSHIP.backupResent, { state: 'backup', move: 'resent' }],
]);

function ownershipStatus(state: 'free' | 'backup', move: BindingUpdate['move']): number {
  if (state === 'free' && move === 'reconcile') return WINDOWS_OWNERSHIP.reconcile;
  if (move === 'resent') return WINDOWS_OWNERSHIP[state === 'free' ? 'freeResent' : 'backupResent'];
  return WINDOWS_OWNERSHIP[state];
}

function updateToMsft(update: BindingUpdate): OptionValues {
  const { state } = update;
  if (state === 'free' || state === 'backup') {
    // An ownership move has IP-flags 0 and nothing of a client (specification 3.4, 3.5).
    const status = ownershipStatus(state, update.move);
    const values = noOptions();
    values[2] = update.address;
    values[3] = status;
    values[12] = 0;
    values[33] = update.vendorUse?.get(SUBNET_MASK);
    return values;
  }
  const values = noOptions();
  values[2] = update.address;
  values[3] = WINDOWS_LEASE_STATUS[state];
  values[12] = msftFlags(update);
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
  const isMove = isMsft && isOwnershipMove(values);
  const ownership = isMove ? MSFT_OWNERSHIP.get(status) : undefined;
  const state = isMove ? ownership?.state : isMsft ? msftLease(status, values[12]) : bindingStateOf(status);
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
    leaseEndAt: fromIsc(values[13], profile),
    potentialEndAt: fromIsc(values[18], profile),
    stateSinceAt: values[25],
    lastTransactionAt: values[6],
    ipFlags: isMsft ? undefined : values[12],
    ddns: extras.ddns,
    requestOptions: extras.requestOptions,
    replyOptions: extras.replyOptions,
    vendorUse: vendorUse(values),
    move: ownership?.move,
    scopeId: hardware.scopeId,
    vendorFlags: isMsft ? values[12] : undefined,
  };
  return { kind: 'update', update };
}

/**
 * Windows's two vocabularies, told apart by option 5 (specification 3.4, R). An update marked as released is none of
 * the second kind even without a client, since an ownership move has IP-flags 0.
 */
function isOwnershipMove(values: OptionValues): boolean {
  return values[5] === undefined && ((values[12] ?? 0) & VENDOR_FLAG_RELEASED) === 0;
}

function msftLease(status: number, flags: number | undefined): BindingState {
  if (((flags ?? 0) & VENDOR_FLAG_RELEASED) !== 0) return 'released';
  const bits = status & WINDOWS_STATE_BITS;
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
