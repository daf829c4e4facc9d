/**
 * The records of the binding log as bytes: an octet for the kind, an octet for the version of that kind, then the payload, little endian.
 * What is unknown is refused with words and never passed over, since a log that is read in part is a broken promise. Fields that are at
 * rest in most bindings (times never set, names not sent) cost a bit each.
 */
import { BINDING_STATES, type BindingState, SERVER_STATES, type ServerState } from '../../wire/failover/messages.ts';
import { assert, type Bad, bad, type EpochSec, type Ip4, ok, type Read, type Sec } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import type { RelationshipRecord } from '../failover/endpoint-types.ts';
import type { LogRecord } from './records.ts';

const KINDS = {
  binding: 1,
  relationship: 2,
  'relationship-gone': 3,
  'scope-gone': 4,
  'scope-given': 5,
  configuration: 6,
  transaction: 7,
  heartbeat: 8,
  'range-given': 9,
} as const satisfies Record<LogRecord['kind'], number>;

/** The version of each kind that is written. Any other is refused on reading. */
const VERSION = 1;

const TRANSACTION_STATES = ['prepared', 'committed', 'aborted', 'forgotten'] as const;
const FIELD_BYTES_MAX = 255;
const NAME_BYTES_MAX = 0xffff;
const BODY_BYTES_MAX = 16 * 1024 * 1024;
const SILENT_SCOPES_MAX = 0xffff;

/** Room that `encodeBindingInto` needs at most. */
export const BINDING_RECORD_BYTES_MAX = 2 + 4 + 2 + 1 + 6 * 4 + 2 * 2 + 5 * (1 + FIELD_BYTES_MAX);

// Bits of the first flag word of a binding; the lowest three are the state.
const BIT_DIRTY = 0x0008;
const BIT_TOLD = 0x0010;
const BIT_OWNED_AS_BACKUP = 0x0020;
const BIT_GRANTED_HERE = 0x0040;
const BIT_CLIENT_ID = 0x0080;
const BIT_HARDWARE = 0x0100;
const BIT_HOST_NAME = 0x0200;
const BIT_RELAY_INFO = 0x0400;
const BIT_POLICY = 0x0800;
const BITS_KNOWN = 0x0fff;
// Bits of the second flag octet: which times and flags are not 0.
const HAS_LEASE_END = 0x01;
const HAS_SENT = 0x02;
const HAS_ACKED = 0x04;
const HAS_RECV = 0x08;
const HAS_TRANSACTION = 0x10;
const HAS_SINCE = 0x20;
const HAS_DNS_FLAGS = 0x40;
const HAS_IP_FLAGS = 0x80;

/** Where the record of a binding is written before its size is known. */
const ROOM = new Uint8Array(BINDING_RECORD_BYTES_MAX);

const STATE_NAMES = namesByNumber<BindingState>(BINDING_STATES);
const SERVER_STATE_NAMES = namesByNumber<ServerState>(SERVER_STATES);
const utf8 = new TextEncoder();
const utf8Strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Fresh bytes of one record. */
export function encodeRecord(record: LogRecord): Uint8Array {
  switch (record.kind) {
    case 'binding': {
      const size = encodeBindingInto(record.binding, ROOM, 0);
      const bytes = new Uint8Array(size);
      for (let i = 0; i < size; i++) bytes[i] = ROOM[i]!;
      return bytes;
    }
    case 'relationship':
      return encodeRelationship(record.record);
    case 'relationship-gone':
      return begin(record.kind).name(record.name).bytes();
    case 'scope-gone':
      return begin(record.kind).u32(record.scopeId).bytes();
    case 'scope-given':
      return begin(record.kind)
        .u32(record.scopeId)
        .u8(record.owner === 'free' ? 0 : 1)
        .bytes();
    case 'range-given':
      return begin(record.kind)
        .u32(record.first)
        .u32(record.last)
        .u8(record.owner === 'free' ? 0 : 1)
        .bytes();
    case 'configuration':
      return begin(record.kind).u53(record.number).field(record.sha256).bytes();
    case 'transaction':
      return begin(record.kind).name(record.id).u8(TRANSACTION_STATES.indexOf(record.state)).body(record.body).bytes();
    case 'heartbeat':
      return begin(record.kind).u32(record.wallAt).bytes();
    default:
      return record satisfies never;
  }
}

/** Reads one record that fills the bytes. All parts of the value are copies. */
export function decodeRecord(bytes: Uint8Array): Read<LogRecord> {
  const reader = new Reader(bytes);
  const kind = reader.u8();
  const version = reader.u8();
  if (reader.stopped !== undefined) return reader.stopped;
  const name = KIND_NAMES[kind];
  if (name === undefined) return bad('a log record of the unknown kind ' + kind + ', made by a newer version', 0);
  if (version !== VERSION) {
    return bad('a log record of kind ' + name + ' in format ' + version + ', made by a newer version', 1);
  }
  const record = readPayload(name, reader);
  if (reader.stopped !== undefined) return reader.stopped;
  if (reader.at !== bytes.length) return bad('a log record is longer than its contents', reader.at);
  return ok(record);
}

/** The address when the record is a binding's, without reading the rest. */
export function bindingAddressIn(bytes: Uint8Array): Ip4 | undefined {
  if (bytes[0] !== KINDS.binding || bytes.length < 6) return undefined;
  return ((bytes[2]! | (bytes[3]! << 8) | (bytes[4]! << 16) | (bytes[5]! << 24)) >>> 0) as Ip4;
}

/**
 * Writes the record of a binding at `offset` and answers the offset after it. The buffer must have `BINDING_RECORD_BYTES_MAX` bytes
 * left there.
 */
export function encodeBindingInto(binding: Binding, buffer: Uint8Array, offset: number): number {
  assert(buffer.length - offset >= BINDING_RECORD_BYTES_MAX, 'there is room for the record of a binding');
  let at = offset;
  buffer[at++] = KINDS.binding;
  buffer[at++] = VERSION;
  at = put32(buffer, at, binding.address);
  at = put16(buffer, at, firstFlags(binding));
  const has = secondFlags(binding);
  buffer[at++] = has;
  if ((has & HAS_LEASE_END) !== 0) at = put32(buffer, at, binding.leaseEndAt);
  if ((has & HAS_SENT) !== 0) at = put32(buffer, at, binding.sentPotentialAt);
  if ((has & HAS_ACKED) !== 0) at = put32(buffer, at, binding.ackedPotentialAt);
  if ((has & HAS_RECV) !== 0) at = put32(buffer, at, binding.recvPotentialAt);
  if ((has & HAS_TRANSACTION) !== 0) at = put32(buffer, at, binding.lastTransactionAt);
  if ((has & HAS_SINCE) !== 0) at = put32(buffer, at, binding.stateSinceAt);
  if ((has & HAS_DNS_FLAGS) !== 0) at = put16(buffer, at, binding.dnsFlags);
  if ((has & HAS_IP_FLAGS) !== 0) at = put16(buffer, at, binding.ipFlags);
  if (binding.clientId !== undefined) at = putField(buffer, at, binding.clientId);
  if (binding.hardware !== undefined) at = putField(buffer, at, binding.hardware);
  if (binding.hostName !== undefined) at = putField(buffer, at, binding.hostName);
  if (binding.relayInfo !== undefined) at = putField(buffer, at, binding.relayInfo);
  if (binding.policy !== undefined) at = putField(buffer, at, binding.policy);
  return at;
}

function firstFlags(binding: Binding): number {
  return (
    BINDING_STATES[binding.state] |
    (binding.dirty ? BIT_DIRTY : 0) |
    (binding.told ? BIT_TOLD : 0) |
    (binding.ownedAs === 'backup' ? BIT_OWNED_AS_BACKUP : 0) |
    (binding.grantedHere ? BIT_GRANTED_HERE : 0) |
    (binding.clientId !== undefined ? BIT_CLIENT_ID : 0) |
    (binding.hardware !== undefined ? BIT_HARDWARE : 0) |
    (binding.hostName !== undefined ? BIT_HOST_NAME : 0) |
    (binding.relayInfo !== undefined ? BIT_RELAY_INFO : 0) |
    (binding.policy !== undefined ? BIT_POLICY : 0)
  );
}

function secondFlags(binding: Binding): number {
  return (
    (binding.leaseEndAt !== 0 ? HAS_LEASE_END : 0) |
    (binding.sentPotentialAt !== 0 ? HAS_SENT : 0) |
    (binding.ackedPotentialAt !== 0 ? HAS_ACKED : 0) |
    (binding.recvPotentialAt !== 0 ? HAS_RECV : 0) |
    (binding.lastTransactionAt !== 0 ? HAS_TRANSACTION : 0) |
    (binding.stateSinceAt !== 0 ? HAS_SINCE : 0) |
    (binding.dnsFlags !== 0 ? HAS_DNS_FLAGS : 0) |
    (binding.ipFlags !== 0 ? HAS_IP_FLAGS : 0)
  );
}

function readPayload(kind: LogRecord['kind'], reader: Reader): LogRecord {
  switch (kind) {
    case 'binding':
      return { kind, binding: readBinding(reader) };
    case 'relationship':
      return { kind, record: readRelationship(reader) };
    case 'relationship-gone':
      return { kind, name: reader.name() };
    case 'scope-gone':
      return { kind, scopeId: reader.u32() as Ip4 };
    case 'scope-given':
      return { kind, scopeId: reader.u32() as Ip4, owner: reader.oneOf(['free', 'backup'], 'owner') };
    case 'range-given':
      return {
        kind,
        first: reader.u32() as Ip4,
        last: reader.u32() as Ip4,
        owner: reader.oneOf(['free', 'backup'], 'owner'),
      };
    case 'configuration':
      return { kind, number: reader.u53(), sha256: reader.field() };
    case 'transaction':
      return {
        kind,
        id: reader.name(),
        state: reader.oneOf(TRANSACTION_STATES, 'transaction state'),
        body: reader.body(),
      };
    case 'heartbeat':
      return { kind, wallAt: reader.u32() as EpochSec };
    default:
      return kind satisfies never;
  }
}

function readBinding(reader: Reader): Binding {
  const address = reader.u32() as Ip4;
  const at = reader.at;
  const flags = reader.u16();
  const state = STATE_NAMES[flags & 0x07];
  if ((flags & ~BITS_KNOWN) !== 0) reader.stop('a binding with unknown flags, made by a newer version', at);
  else if (state === undefined) reader.stop('a binding in no known state', at);
  const has = reader.u8();
  const time = (bit: number): EpochSec => ((has & bit) !== 0 ? reader.u32() : 0) as EpochSec;
  const field = (bit: number): Uint8Array | undefined => ((flags & bit) !== 0 ? reader.field() : undefined);
  const leaseEndAt = time(HAS_LEASE_END);
  const sentPotentialAt = time(HAS_SENT);
  const ackedPotentialAt = time(HAS_ACKED);
  const recvPotentialAt = time(HAS_RECV);
  const lastTransactionAt = time(HAS_TRANSACTION);
  const stateSinceAt = time(HAS_SINCE);
  const dnsFlags = (has & HAS_DNS_FLAGS) !== 0 ? reader.u16() : 0;
  const ipFlags = (has & HAS_IP_FLAGS) !== 0 ? reader.u16() : 0;
  return {
    address,
    state: state ?? 'free',
    clientId: field(BIT_CLIENT_ID),
    hardware: field(BIT_HARDWARE),
    hostName: field(BIT_HOST_NAME),
    relayInfo: field(BIT_RELAY_INFO),
    policy: field(BIT_POLICY),
    dnsFlags,
    leaseEndAt,
    sentPotentialAt,
    ackedPotentialAt,
    recvPotentialAt,
    lastTransactionAt,
    stateSinceAt,
    ipFlags,
    dirty: (flags & BIT_DIRTY) !== 0,
    told: (flags & BIT_TOLD) !== 0,
    ownedAs: (flags & BIT_OWNED_AS_BACKUP) !== 0 ? 'backup' : 'free',
    grantedHere: (flags & BIT_GRANTED_HERE) !== 0,
  };
}

function encodeRelationship(record: RelationshipRecord): Uint8Array {
  assert(record.silentScopeIds.length <= SILENT_SCOPES_MAX, 'the silent scopes of a relationship can be counted');
  const writer = begin('relationship')
    .name(record.name)
    .name(record.id)
    .u8(SERVER_STATES[record.state])
    .u32(record.stateSinceAt)
    // 0 is no state of a server.
    .u8(record.partnerState === undefined ? 0 : SERVER_STATES[record.partnerState])
    .u32(record.partnerFlags)
    .u32(record.partnerStateAt)
    .u32(record.partnerDownAt)
    .u32(record.lastOperationalAt)
    .u32(record.skewSec)
    .u32(record.mcltWasSec)
    .u32(record.mcltWasUntilAt)
    .u8(
      (record.wantsAll ? 1 : 0) |
        (record.holdsAllData ? 2 : 0) |
        (record.partnerStoreId !== undefined ? 4 : 0) |
        (record.lossAt !== undefined ? 8 : 0) |
        (record.toldSequence !== undefined ? 16 : 0) |
        (record.adoptedMcltSec !== undefined ? 32 : 0) |
        (record.partnerConnectAt !== undefined ? 64 : 0),
    )
    .u53(record.partnerSequence)
    .u32(record.recoverWaitUntilAt);
  if (record.partnerStoreId !== undefined) writer.field(record.partnerStoreId);
  if (record.lossAt !== undefined) writer.u32(record.lossAt);
  if (record.toldSequence !== undefined) writer.u53(record.toldSequence);
  if (record.adoptedMcltSec !== undefined) writer.u32(record.adoptedMcltSec);
  if (record.partnerConnectAt !== undefined) writer.u32(record.partnerConnectAt);
  writer.u16(record.silentScopeIds.length);
  for (const scopeId of record.silentScopeIds) writer.u32(scopeId);
  return writer.bytes();
}

function readRelationship(reader: Reader): RelationshipRecord {
  const name = reader.name();
  const id = reader.name();
  const state = serverState(reader, reader.u8());
  const stateSinceAt = reader.u32() as EpochSec;
  const partnerCode = reader.u8();
  const partnerState = partnerCode === 0 ? undefined : serverState(reader, partnerCode);
  const partnerFlags = reader.u32();
  const partnerStateAt = reader.u32() as EpochSec;
  const partnerDownAt = reader.u32() as EpochSec;
  const lastOperationalAt = reader.u32() as EpochSec;
  const skewSec = reader.u32() as Sec;
  const mcltWasSec = reader.u32() as Sec;
  const mcltWasUntilAt = reader.u32() as EpochSec;
  const flags = reader.u8();
  if (flags > 127) reader.stop('a relationship with unknown flags, made by a newer version', reader.at - 1);
  const partnerSequence = reader.u53();
  const recoverWaitUntilAt = reader.u32() as EpochSec;
  const partnerStoreId = (flags & 4) !== 0 ? reader.field() : undefined;
  const lossAt = (flags & 8) !== 0 ? (reader.u32() as EpochSec) : undefined;
  const toldSequence = (flags & 16) !== 0 ? reader.u53() : undefined;
  const adoptedMcltSec = (flags & 32) !== 0 ? (reader.u32() as Sec) : undefined;
  const partnerConnectAt = (flags & 64) !== 0 ? (reader.u32() as EpochSec) : undefined;
  const silentScopeIds: Ip4[] = [];
  for (let n = reader.u16(); n > 0 && reader.stopped === undefined; n--) silentScopeIds.push(reader.u32() as Ip4);
  return {
    name,
    id,
    state,
    stateSinceAt,
    partnerState,
    partnerFlags,
    partnerStateAt,
    partnerDownAt,
    lastOperationalAt,
    skewSec,
    mcltWasSec,
    mcltWasUntilAt,
    partnerStoreId,
    partnerSequence,
    wantsAll: (flags & 1) !== 0,
    recoverWaitUntilAt,
    silentScopeIds,
    holdsAllData: (flags & 2) !== 0,
    ...(lossAt === undefined ? {} : { lossAt }),
    ...(toldSequence === undefined ? {} : { toldSequence }),
    ...(adoptedMcltSec === undefined ? {} : { adoptedMcltSec }),
    ...(partnerConnectAt === undefined ? {} : { partnerConnectAt }),
  };
}

function serverState(reader: Reader, code: number): ServerState {
  const state = SERVER_STATE_NAMES[code];
  if (state === undefined) reader.stop('a relationship in no known state', reader.at - 1);
  return state ?? 'recover';
}

function begin(kind: LogRecord['kind']): Writer {
  return new Writer().u8(KINDS[kind]).u8(VERSION);
}

/** Collects octets; for the records that are rare. */
class Writer {
  readonly #octets: number[] = [];
  #body: Uint8Array = new Uint8Array(0);

  u8(n: number): this {
    this.#octets.push(n & 255);
    return this;
  }
  u16(n: number): this {
    return this.u8(n).u8(n >>> 8);
  }
  u32(n: number): this {
    return this.u16(n).u16(n >>> 16);
  }
  /** An integer 0 .. 2^53 - 1 in eight octets. */
  u53(n: number): this {
    assert(Number.isSafeInteger(n) && n >= 0, 'a number in a record is a whole one');
    return this.u32(n % 0x100000000).u32(Math.floor(n / 0x100000000));
  }
  field(bytes: Uint8Array): this {
    assert(bytes.length <= FIELD_BYTES_MAX, 'a field of a record has at most 255 bytes');
    this.u8(bytes.length);
    for (const octet of bytes) this.#octets.push(octet);
    return this;
  }
  name(text: string): this {
    const bytes = utf8.encode(text);
    assert(bytes.length <= NAME_BYTES_MAX, 'a name in a record has at most 65535 bytes');
    this.u16(bytes.length);
    for (const octet of bytes) this.#octets.push(octet);
    return this;
  }
  /** Bytes of any length, the last part of a record. */
  body(bytes: Uint8Array): this {
    assert(bytes.length <= BODY_BYTES_MAX, 'the body of a record has at most 16 MiB');
    this.u32(bytes.length);
    this.#body = bytes;
    return this;
  }
  bytes(): Uint8Array {
    const all = new Uint8Array(this.#octets.length + this.#body.length);
    all.set(this.#octets);
    all.set(this.#body, this.#octets.length);
    return all;
  }
}

/** Reads within the bytes; the first thing that is wrong is kept in `stopped`, and all reads after it answer nothing. */
class Reader {
  readonly #bytes: Uint8Array;
  at = 0;
  stopped: Bad | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  stop(why: string, at: number): void {
    this.stopped ??= bad(why, at);
  }
  u8(): number {
    if (!this.#has(1)) return 0;
    return this.#bytes[this.at++]!;
  }
  u16(): number {
    if (!this.#has(2)) return 0;
    return this.u8() | (this.u8() << 8);
  }
  u32(): number {
    if (!this.#has(4)) return 0;
    return (this.u16() | (this.u16() << 16)) >>> 0;
  }
  u53(): number {
    const at = this.at;
    const n = this.u32() + this.u32() * 0x100000000;
    if (Number.isSafeInteger(n)) return n;
    this.stop('a number in a log record is too large', at);
    return 0;
  }
  field(): Uint8Array {
    return this.#take(this.u8());
  }
  name(): string {
    const at = this.at;
    try {
      return utf8Strict.decode(this.#take(this.u16()));
    } catch {
      this.stop('a name in a log record is not UTF-8', at);
      return '';
    }
  }
  body(): Uint8Array {
    const at = this.at;
    const length = this.u32();
    if (length <= BODY_BYTES_MAX) return this.#take(length);
    this.stop('the body of a log record is too long', at);
    return new Uint8Array(0);
  }
  oneOf<T extends string>(names: readonly T[], what: string): T {
    const at = this.at;
    const name = names[this.u8()];
    if (name === undefined) this.stop('an unknown ' + what + ' in a log record, made by a newer version', at);
    return name ?? names[0]!;
  }
  #take(length: number): Uint8Array {
    if (!this.#has(length)) return new Uint8Array(0);
    this.at += length;
    return this.#bytes.slice(this.at - length, this.at);
  }
  #has(length: number): boolean {
    if (this.stopped === undefined && this.#bytes.length - this.at < length) {
      this.stop('a log record ends too early', this.#bytes.length);
    }
    return this.stopped === undefined;
  }
}

const KIND_NAMES = namesByNumber<LogRecord['kind']>(KINDS);

function namesByNumber<T extends string>(numbers: Readonly<Record<T, number>>): (T | undefined)[] {
  const names: (T | undefined)[] = [];
  for (const name of Object.keys(numbers) as T[]) names[numbers[name]] = name;
  return names;
}

function put16(buffer: Uint8Array, at: number, n: number): number {
  buffer[at] = n;
  buffer[at + 1] = n >>> 8;
  return at + 2;
}

function put32(buffer: Uint8Array, at: number, n: number): number {
  buffer[at] = n;
  buffer[at + 1] = n >>> 8;
  buffer[at + 2] = n >>> 16;
  buffer[at + 3] = n >>> 24;
  return at + 4;
}

function putField(buffer: Uint8Array, at: number, bytes: Uint8Array): number {
  assert(bytes.length <= FIELD_BYTES_MAX, 'an identifier or name of a binding has at most 255 bytes');
  buffer[at] = bytes.length;
  buffer.set(bytes, at + 1);
  return at + 1 + bytes.length;
}
