/** Every failover message of every dialect, as far as the dialect can carry it, for the laws that hold of all of them. */
import fc from 'fast-check';
import {
  BINDING_STATES,
  type BindingAnswer,
  type BindingState,
  type BindingUpdate,
  type FailoverMessage,
  REJECT_REASONS,
  type RejectReason,
  SERVER_STATES,
  type ServerState,
  type StoreMark,
  type WireProfile,
} from '../../../src/wire/failover/messages.ts';
import { VENDOR_CLASS } from '../../../src/wire/failover/vendor.ts';
import { type EpochSec, INFINITE_AT, type Ip4, type Sec } from '../../../src/wire/units.ts';

export const PROFILES: readonly WireProfile[] = ['twinlease', 'draft', 'isc', 'msft'];

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 0x7fffffff, 0x80000000, 0xffffffff));
const instant = u32.map((n) => n as EpochSec);
const seconds = u32.map((n) => n as Sec);
const ip4 = u32.map((n) => n as Ip4);
const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((s) => s.replaceAll('\0', ''));
const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const rejectReason = fc.constantFrom(...(Object.keys(REJECT_REASONS) as RejectReason[]));
const start = { sentAt: instant, xid: u32 };

function maybe<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined });
}

const hardware = fc
  .tuple(fc.integer({ min: 1, max: 255 }), bytes(1, 16))
  .map(([type, address]) => Uint8Array.of(type, ...address));
const store: fc.Arbitrary<StoreMark> = fc.record({ storeId: bytes(16, 16), sequence: fc.maxSafeNat() });

/** States that come back as they were; Windows has no word for abandoned and reset (specification 3.4). */
function statesOf(profile: WireProfile): BindingState[] {
  const all = Object.keys(BINDING_STATES) as BindingState[];
  return profile === 'msft' ? all.filter((state) => state !== 'abandoned' && state !== 'reset') : all;
}

export function updateArbitrary(profile: WireProfile): fc.Arbitrary<BindingUpdate> {
  const isOwn = profile === 'twinlease';
  const vendorCodes = isOwn ? [40] : [31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41];
  const vendorUse = fc
    .subarray(vendorCodes, { minLength: 1 })
    .chain((codes) => fc.tuple(...codes.map((code) => bytes(0, 12).map((data) => [code, data] as const))))
    .map((entries) => new Map(entries) as ReadonlyMap<number, Uint8Array>);
  return fc
    .record({
      address: ip4,
      state: fc.constantFrom(...statesOf(profile)),
      clientId: maybe(bytes(1, 40)),
      hardware: maybe(hardware),
      leaseEndAt: maybe(instant),
      potentialEndAt: maybe(instant),
      stateSinceAt: maybe(instant),
      lastTransactionAt: maybe(instant),
      ipFlags: maybe(u16),
      ddns: maybe(fc.record({ flags: u16, name: bytes(0, 30) })),
      requestOptions: maybe(bytes(0, 30)),
      replyOptions: maybe(bytes(0, 12)),
      vendorUse: maybe(vendorUse),
      scopeId: maybe(ip4),
      vendorFlags: u8,
      move: maybe(fc.constantFrom('reconcile' as const, 'resent' as const)),
    })
    .map((update) => carriedBy(profile, update));
}

/** Leaves out what the dialect cannot carry, and makes the fields agree that the dialect writes as one. */
function carriedBy(profile: WireProfile, update: BindingUpdate & { vendorFlags: number }): BindingUpdate {
  const { scopeId, vendorFlags, vendorUse, move: _move, ...common } = update;
  if (profile === 'twinlease') return { ...common, vendorUse };
  if (profile !== 'msft') {
    const isAbandoned = update.state === 'abandoned';
    const client = isAbandoned ? { clientId: undefined, hardware: undefined } : {};
    const drafted = { ...common, ...client };
    if (profile === 'draft') return drafted;
    const times = { leaseEndAt: inIsc(drafted.leaseEndAt), potentialEndAt: inIsc(drafted.potentialEndAt) };
    return { ...drafted, ...times, ddns: undefined, requestOptions: undefined, replyOptions: undefined };
  }
  if (update.state === 'free' || update.state === 'backup') {
    const mask = vendorUse?.get(33);
    return {
      address: update.address,
      state: update.state,
      vendorFlags: 0,
      vendorUse: mask && new Map([[33, mask]]),
      move: update.move === 'reconcile' && update.state === 'backup' ? undefined : update.move,
    };
  }
  const flags = update.state === 'released' ? vendorFlags | 2 : vendorFlags & ~2;
  return { ...common, ipFlags: undefined, vendorUse, vendorFlags: flags, scopeId: scopeId ?? (0 as Ip4) };
}

/** dhcpd's "for ever" is 0x7fffffff, so this value means no other time (specification 6.1). */
function inIsc(at: EpochSec | undefined): EpochSec | undefined {
  return at === 0x7fffffff ? INFINITE_AT : at;
}

const answer: fc.Arbitrary<BindingAnswer> = fc.record({
  address: ip4,
  rejectReason: maybe(rejectReason),
  message: maybe(text),
});

function connectArbitrary(profile: WireProfile): fc.Arbitrary<FailoverMessage> {
  const isOwn = profile === 'twinlease';
  return fc.record({
    kind: fc.constant('connect' as const),
    ...start,
    relationshipName: maybe(text),
    maxUnacked: maybe(u32),
    receiveTimerSec: maybe(seconds),
    vendorClass: isOwn ? fc.constant(VENDOR_CLASS) : maybe(text),
    protocolVersion: maybe(u8),
    tlsRequest: maybe(u8),
    mcltSec: maybe(seconds),
    hashBuckets: maybe(bytes(32, 32)),
    store: isOwn ? maybe(store) : fc.constant(undefined),
    remembered: isOwn ? maybe(store) : fc.constant(undefined),
  });
}

function connectAckArbitrary(profile: WireProfile): fc.Arbitrary<FailoverMessage> {
  const isOwn = profile === 'twinlease';
  return fc.record({
    kind: fc.constant('connectack' as const),
    ...start,
    relationshipName: maybe(text),
    maxUnacked: maybe(u32),
    receiveTimerSec: maybe(seconds),
    vendorClass: isOwn ? fc.constant(VENDOR_CLASS) : maybe(text),
    protocolVersion: maybe(u8),
    tlsReply: maybe(u8),
    rejectReason: maybe(rejectReason),
    message: maybe(text),
    store: isOwn ? maybe(store) : fc.constant(undefined),
    remembered: isOwn ? maybe(store) : fc.constant(undefined),
  });
}

function stateArbitrary(profile: WireProfile): fc.Arbitrary<FailoverMessage> {
  const isOwn = profile === 'twinlease';
  const states = (Object.keys(SERVER_STATES) as ServerState[]).filter(
    (state) => profile !== 'msft' || state !== 'recover-wait',
  );
  return fc.record({
    kind: fc.constant('state' as const),
    ...start,
    serverState: fc.constantFrom(undefined, ...states),
    serverFlags: u8,
    stateSinceAt: instant,
    store: isOwn ? maybe(store) : fc.constant(undefined),
    unservedScopeIds: isOwn ? maybe(fc.array(ip4, { maxLength: 20 })) : fc.constant(undefined),
  });
}

/** Any message that the dialect carries without loss. */
export function messageArbitrary(profile: WireProfile): fc.Arbitrary<FailoverMessage> {
  const hasScopes = profile === 'twinlease' || profile === 'msft';
  return fc.oneof<fc.Arbitrary<FailoverMessage>[]>(
    fc.record({ kind: fc.constantFrom('poolreq', 'updreqall', 'upddone', 'contact'), ...start }),
    fc.record({ kind: fc.constant('poolresp' as const), ...start, addressesTransferred: u32 }),
    fc.record({
      kind: fc.constant('bndupd' as const),
      ...start,
      updates: fc.array(updateArbitrary(profile), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('bndack' as const),
      ...start,
      answers: fc.array(answer, { minLength: 1, maxLength: 5 }),
    }),
    connectArbitrary(profile),
    connectAckArbitrary(profile),
    fc.record({
      kind: fc.constant('updreq' as const),
      ...start,
      scopeIds: hasScopes ? maybe(fc.array(ip4, { maxLength: 20 })) : fc.constant(undefined),
    }),
    stateArbitrary(profile),
    fc.record({ kind: fc.constant('disconnect' as const), ...start, rejectReason, message: maybe(text) }),
  );
}
