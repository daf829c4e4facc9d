/**
 * Failover messages as bytes, and back, in each of the four dialects (failover specification 1.2 to 1.14). The option
 * table of `options.ts` drives both directions; this file says which field of a message is which option. Cutting the
 * stream is `framer.ts`, and whether a message makes sense now is the engine's matter.
 */
import { assert, type Bad, bad, type EpochSec, NEVER_AT, type Read } from '../units.ts';
import { readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { checkDigest, type DigestKey, digestOverhead, findDigest, seal } from './digest.ts';
import { FRAME_BYTES_MAX, HEADER_BYTES } from './framer.ts';
import { HASH_BUCKETS_BYTES, inverted } from './hash-buckets.ts';
import {
  type BindingAnswer,
  type BindingUpdate,
  type FailoverMessage,
  MESSAGE_NUMBERS,
  type MessageKind,
  type OutMessage,
  REJECT_REASONS,
  type RejectReason,
  SERVER_STATES,
  type ServerState,
  type UnreadableUpdate,
  type WireProfile,
} from './messages.ts';
import { messageKindOf, rejectReasonOf, serverStateOf } from './numbers.ts';
import { noOptions, type OptionValues, optionsSize, readOptions, writeOptions } from './options.ts';
import { WINDOWS_HEARS_RECOVER_WAIT_AS, WINDOWS_PAYLOAD_OFFSET } from './unverified.ts';
import { optionsToUpdate, updateToOptions } from './update.ts';
import { isOwnVendorClass, readVendor, VENDOR_CLASS, type VendorOptions, vendorBytes } from './vendor.ts';

/** Scopes that one UPDREQ can name; a request for more is sent as UPDREQALL, which covers them. */
export const SCOPE_IDS_MAX = 400;
/** Updates that are read in one BNDUPD: the answer to so many fits into one BNDACK, whatever is said of each. */
const UPDATES_MAX = 100;
/** Windows's, and the draft's own slip (specification 1.2). */
const PAYLOAD_OFFSET_MSFT = WINDOWS_PAYLOAD_OFFSET;
/** Message types from here on are ignored when not understood; below, they end the connection (specification 1.2). */
const IGNORABLE_TYPE_MIN = 128;

export type Decoded =
  | Read<FailoverMessage>
  /** A message of a kind that is to be passed over (specification 1.2). */
  | { readonly kind: 'ignored'; readonly messageType: number }
  /** Not authenticated as agreed: answer with this reason where the message has an answer, and close (specification 1.12). */
  | {
      readonly kind: 'refused';
      readonly rejectReason: RejectReason;
      readonly why: string;
      readonly messageKind: MessageKind;
      readonly xid: number;
    };

/**
 * Writes a message. Options that the profile does not have are left out. The result is at most `FRAME_BYTES_MAX` long;
 * that a longer message is never asked for is the caller's duty, and `fittingUpdates` helps with it.
 */
export function encodeMessage(message: FailoverMessage, profile: WireProfile, digest?: DigestKey): Uint8Array {
  return encodeStamped(message, message.sentAt, profile, digest);
}

/** Writes a message as the engine makes it, with the time at which it leaves; else as `encodeMessage`. */
export function encodeStamped(
  message: OutMessage,
  sentAt: EpochSec,
  profile: WireProfile,
  digest?: DigestKey,
): Uint8Array {
  const limit = FRAME_BYTES_MAX - (digest === undefined ? 0 : digestOverhead(digest));
  let sent = withoutTooManyScopes(message);
  let groups = toOptions(sent, profile);
  let size = sizeOf(groups, sent.kind, profile);
  if (size > limit && sent.kind === 'bndack') {
    // The reasons are numbers; their texts are for people, and give way to them.
    sent = { ...sent, answers: sent.answers.map(({ address, rejectReason }) => ({ address, rejectReason })) };
    groups = toOptions(sent, profile);
    size = sizeOf(groups, sent.kind, profile);
  }
  assert(size <= limit, 'a failover message fits into 2048 bytes');
  const frame = new Uint8Array(size);
  writeU16(size, frame, 0);
  frame[2] = MESSAGE_NUMBERS[sent.kind];
  frame[3] = profile === 'msft' ? PAYLOAD_OFFSET_MSFT : HEADER_BYTES;
  writeU32(sentAt, frame, 4);
  writeU32(sent.xid, frame, 8);
  let at = HEADER_BYTES;
  for (const group of groups) at = writeOptions(group, sent.kind, profile, frame, at);
  return digest === undefined ? frame : seal(frame, digest);
}

function sizeOf(groups: ReturnType<typeof toOptions>, kind: MessageKind, profile: WireProfile): number {
  let size = HEADER_BYTES;
  for (const group of groups) size += optionsSize(group, kind, profile);
  return size;
}

/** How many of the updates, from the first on, fit into one BNDUPD. 0 only when the first alone is too long. */
export function fittingUpdates(updates: readonly BindingUpdate[], profile: WireProfile, digest?: DigestKey): number {
  let room = FRAME_BYTES_MAX - HEADER_BYTES - (digest === undefined ? 0 : digestOverhead(digest));
  for (let i = 0; i < updates.length; i++) {
    room -= optionsSize(updateToOptions(updates[i]!, profile), 'bndupd', profile);
    if (room < 0) return i;
  }
  return updates.length;
}

/**
 * Reads one whole frame, as the framer cut it. With `digest` the message must be authenticated by it; without, a message
 * that carries a digest is refused, except from an ISC partner, whose digests mean nothing (specification 1.12).
 */
export function decodeMessage(frame: Uint8Array, profile: WireProfile, digest?: DigestKey): Decoded {
  const head = readHead(frame);
  if (head.kind === 'bad') return head;
  const { messageType, optionsAt, xid } = head.value;
  const kind = messageKindOf(messageType);
  if (kind === undefined) {
    if (messageType >= IGNORABLE_TYPE_MIN) return { kind: 'ignored', messageType };
    return bad(`message type ${messageType} is not defined`, 2);
  }
  const verdict = judgeDigest(frame, optionsAt, profile, digest);
  if (verdict.kind === 'bad') return verdict;
  if (verdict.value !== undefined) {
    return { kind: 'refused', rejectReason: verdict.value, why: 'message digest', messageKind: kind, xid };
  }
  return readMessage(frame, head.value, kind, profile);
}

export interface MessageHead {
  readonly messageType: number;
  /** The payload offset as written; 8 is Windows's (specification 1.14). */
  readonly payloadOffset: number;
  /** Where the options really begin. */
  readonly optionsAt: number;
  readonly sentAt: EpochSec;
  readonly xid: number;
}

/** Reads the 12 bytes that every message begins with. */
export function readHead(frame: Uint8Array): Read<MessageHead> {
  if (frame.length < HEADER_BYTES) return bad('frame shorter than a header', frame.length);
  if (frame.length > FRAME_BYTES_MAX) return bad('frame longer than 2048 bytes', FRAME_BYTES_MAX);
  if (readU16(frame, 0) !== frame.length) return bad('message length differs from the frame', 0);
  const payloadOffset = frame[3]!;
  // Specification 1.2: 8 is the draft's own slip and means 12; more than 12 leaves room for a longer header.
  const optionsAt = payloadOffset === PAYLOAD_OFFSET_MSFT ? HEADER_BYTES : payloadOffset;
  if (optionsAt < HEADER_BYTES || optionsAt > frame.length) return bad(`payload offset ${payloadOffset}`, 3);
  const sentAt = readU32(frame, 4) as EpochSec;
  return {
    kind: 'ok',
    value: { messageType: frame[2]!, payloadOffset, optionsAt, sentAt, xid: readU32(frame, 8) },
  };
}

/**
 * Reads a CONNECT without looking at its digest, to learn which relationship it is for and so which key and profile
 * apply. Nothing else may be concluded from it. Undefined when it is no readable CONNECT.
 */
export function peekConnect(
  frame: Uint8Array,
  profile: WireProfile,
): Extract<FailoverMessage, { kind: 'connect' }> | undefined {
  const head = readHead(frame);
  if (head.kind === 'bad' || head.value.messageType !== MESSAGE_NUMBERS.connect) return undefined;
  const read = readMessage(frame, head.value, 'connect', profile);
  return read.kind === 'ok' && read.value.kind === 'connect' ? read.value : undefined;
}

/** The dialect of a CONNECT or CONNECTACK (specification 1.14): payload offset 8 is Windows, the rest the vendor class tells. */
export function detectProfile(frame: Uint8Array): WireProfile {
  const head = readHead(frame);
  if (head.kind === 'bad') return 'draft';
  if (head.value.payloadOffset === PAYLOAD_OFFSET_MSFT) return 'msft';
  const kind = messageKindOf(head.value.messageType);
  if (kind !== 'connect' && kind !== 'connectack') return 'draft';
  const read = readOptions(frame, head.value.optionsAt, kind, 'draft');
  const vendorClass = read.kind === 'ok' ? read.value[0]?.[28] : undefined;
  if (isOwnVendorClass(vendorClass)) return 'twinlease';
  return vendorClass?.startsWith('isc-') === true ? 'isc' : 'draft';
}

function judgeDigest(
  frame: Uint8Array,
  optionsAt: number,
  profile: WireProfile,
  digest: DigestKey | undefined,
): Read<RejectReason | undefined> {
  if (digest !== undefined) {
    const verdict = checkDigest(frame, optionsAt, digest);
    if (verdict.kind === 'bad') return verdict;
    return { kind: 'ok', value: verdict.value === 'good' ? undefined : verdict.value };
  }
  if (profile === 'isc') return { kind: 'ok', value: undefined };
  const found = findDigest(frame, optionsAt);
  if (found.kind === 'bad') return found;
  return { kind: 'ok', value: found.value === undefined ? undefined : 'digest-not-configured' };
}

function withoutTooManyScopes(message: OutMessage): OutMessage {
  if (message.kind !== 'updreq' || (message.scopeIds?.length ?? 0) <= SCOPE_IDS_MAX) return message;
  return { kind: 'updreqall', xid: message.xid };
}

/** The options of a message, in groups where it has groups. */
function toOptions(message: OutMessage, profile: WireProfile): readonly OptionValues[] {
  switch (message.kind) {
    case 'poolresp': {
      const values = noOptions();
      values[1] = message.addressesTransferred;
      return [values];
    }
    case 'bndupd':
      return message.updates.map((update) => updateToOptions(update, profile));
    case 'bndack':
      return message.answers.map(answerToOptions);
    case 'connect':
      return [connectToOptions(message, profile)];
    case 'connectack':
      return [connectAckToOptions(message, profile)];
    case 'updreq': {
      const values = noOptions();
      values[30] = message.scopeIds;
      return [values];
    }
    case 'state':
      return [stateToOptions(message, profile)];
    case 'disconnect': {
      const values = noOptions();
      putReject(values, message);
      return [values];
    }
    case 'poolreq':
    case 'updreqall':
    case 'upddone':
    case 'contact':
      return [];
    default:
      return message satisfies never;
  }
}

function answerToOptions(answer: BindingAnswer): OptionValues {
  const values = noOptions();
  values[2] = answer.address;
  putReject(values, answer);
  return values;
}

function putReject(
  values: OptionValues,
  from: { readonly rejectReason?: RejectReason | undefined; readonly message?: string | undefined },
): void {
  values[21] = from.rejectReason && REJECT_REASONS[from.rejectReason];
  values[16] = from.message;
}

function connectToOptions(message: Extract<OutMessage, { kind: 'connect' }>, profile: WireProfile): OptionValues {
  const { hashBuckets } = message;
  const values = noOptions();
  values[22] = message.relationshipName;
  values[14] = message.maxUnacked;
  values[19] = message.receiveTimerSec;
  values[20] = message.protocolVersion;
  values[27] = message.tlsRequest;
  values[15] = message.mcltSec;
  values[11] = profile === 'draft' ? hashBuckets && inverted(hashBuckets) : hashBuckets;
  putVendor(values, message.vendorClass, message, profile);
  return values;
}

function connectAckToOptions(message: Extract<OutMessage, { kind: 'connectack' }>, profile: WireProfile): OptionValues {
  const values = noOptions();
  values[22] = message.relationshipName;
  values[14] = message.maxUnacked;
  values[19] = message.receiveTimerSec;
  values[20] = message.protocolVersion;
  values[26] = message.tlsReply;
  putReject(values, message);
  putVendor(values, message.vendorClass, message, profile);
  return values;
}

function stateToOptions(message: Extract<OutMessage, { kind: 'state' }>, profile: WireProfile): OptionValues {
  const values = noOptions();
  values[24] = serverStateNumber(message.serverState, profile);
  values[23] = message.serverFlags;
  values[25] = message.stateSinceAt;
  putVendor(values, undefined, message, profile);
  return values;
}

function serverStateNumber(state: ServerState | undefined, profile: WireProfile): number {
  if (state === undefined) return 0;
  return SERVER_STATES[state === 'recover-wait' && profile === 'msft' ? WINDOWS_HEARS_RECOVER_WAIT_AS : state];
}

/** Option 29 only beside an option 28 of ours (specification 1.5), and only between our own servers. */
function putVendor(
  values: OptionValues,
  vendorClass: string | undefined,
  options: VendorOptions,
  profile: WireProfile,
): void {
  const bytes = profile === 'twinlease' ? vendorBytes(options) : undefined;
  const shown = vendorClass ?? (bytes === undefined ? undefined : VENDOR_CLASS);
  values[28] = shown;
  values[29] = isOwnVendorClass(shown) ? bytes : undefined;
}

function readMessage(
  frame: Uint8Array,
  head: MessageHead,
  kind: MessageKind,
  profile: WireProfile,
): Read<FailoverMessage> {
  const read = readOptions(frame, head.optionsAt, kind, profile);
  if (read.kind === 'bad') return read;
  const groups = read.value;
  const values = groups[0] ?? noOptions();
  const start = { sentAt: head.sentAt, xid: head.xid };
  switch (kind) {
    case 'poolresp':
      return ok({ kind, ...start, addressesTransferred: values[1] ?? 0 });
    case 'bndupd':
      if (groups.length > UPDATES_MAX) return bad(`more than ${UPDATES_MAX} updates in one message`, head.optionsAt);
      return ok(readUpdates(groups, start, profile));
    case 'bndack':
      return readAnswers(groups, start, head.optionsAt);
    case 'connect':
    case 'connectack':
    case 'state': {
      const vendor = readVendorOptions(values, profile);
      if (vendor.kind === 'bad') return vendor;
      if (kind === 'connect') return ok(readConnect(values, start, vendor.value, profile));
      if (kind === 'connectack') return ok(readConnectAck(values, start, vendor.value));
      return ok(readState(values, start, vendor.value));
    }
    case 'updreq':
      return ok({ kind, ...start, scopeIds: values[30] });
    case 'disconnect':
      return ok({ kind, ...start, rejectReason: rejectReasonOf(values[21] ?? 0), message: values[16] });
    case 'poolreq':
    case 'updreqall':
    case 'upddone':
    case 'contact':
      return ok({ kind, ...start });
    default:
      return kind satisfies never;
  }
}

interface Start {
  readonly sentAt: EpochSec;
  readonly xid: number;
}

function ok(value: FailoverMessage): Read<FailoverMessage> {
  return { kind: 'ok', value };
}

function readUpdates(
  groups: readonly OptionValues[],
  { sentAt, xid }: Start,
  profile: WireProfile,
): Extract<FailoverMessage, { kind: 'bndupd' }> {
  const updates: BindingUpdate[] = [];
  const unreadable: UnreadableUpdate[] = [];
  for (let index = 0; index < groups.length; index++) {
    const read = optionsToUpdate(groups[index]!, profile, index);
    if (read.kind === 'update') updates.push(read.update);
    else unreadable.push(read.unreadable);
  }
  return unreadable.length === 0
    ? { kind: 'bndupd', sentAt, xid, updates }
    : { kind: 'bndupd', sentAt, xid, updates, unreadable };
}

function readAnswers(groups: readonly OptionValues[], { sentAt, xid }: Start, at: number): Read<FailoverMessage> {
  const answers: BindingAnswer[] = [];
  for (const values of groups) {
    const address = values[2];
    if (address === undefined) return bad('bndack without assigned-ip-address', at);
    answers.push({ address, rejectReason: readReject(values), message: values[16] });
  }
  return ok({ kind: 'bndack', sentAt, xid, answers });
}

function readReject(values: OptionValues): RejectReason | undefined {
  return values[21] === undefined ? undefined : rejectReasonOf(values[21]);
}

function readVendorOptions(values: OptionValues, profile: WireProfile): Read<VendorOptions> | Bad {
  if (profile !== 'twinlease' || values[29] === undefined || !isOwnVendorClass(values[28]))
    return { kind: 'ok', value: {} };
  return readVendor(values[29]);
}

function readConnect(values: OptionValues, start: Start, vendor: VendorOptions, profile: WireProfile): FailoverMessage {
  // Another length is no assignment; the secondary answers reject 18, as without the option (specification 2.4).
  const buckets = values[11]?.length === HASH_BUCKETS_BYTES ? values[11] : undefined;
  return {
    kind: 'connect',
    ...start,
    relationshipName: values[22],
    maxUnacked: values[14],
    receiveTimerSec: values[19],
    vendorClass: values[28],
    protocolVersion: values[20],
    tlsRequest: values[27],
    mcltSec: values[15],
    hashBuckets: profile === 'draft' ? buckets && inverted(buckets) : buckets,
    store: vendor.store,
    remembered: vendor.remembered,
  };
}

function readConnectAck(values: OptionValues, start: Start, vendor: VendorOptions): FailoverMessage {
  return {
    kind: 'connectack',
    ...start,
    relationshipName: values[22],
    maxUnacked: values[14],
    receiveTimerSec: values[19],
    vendorClass: values[28],
    protocolVersion: values[20],
    tlsReply: values[26],
    rejectReason: readReject(values),
    message: values[16],
    store: vendor.store,
    remembered: vendor.remembered,
  };
}

/** A STATE without its options tells nothing, which is what the engine then hears. */
function readState(values: OptionValues, start: Start, vendor: VendorOptions): FailoverMessage {
  return {
    kind: 'state',
    ...start,
    serverState: serverStateOf(values[24] ?? 0),
    serverFlags: values[23] ?? 0,
    stateSinceAt: values[25] ?? NEVER_AT,
    store: vendor.store,
    unservedScopeIds: vendor.unservedScopeIds,
  };
}
