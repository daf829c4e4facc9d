/** The records of the binding log: every value comes back equal, and every other sequence of bytes is refused with words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Binding } from '../../../src/core/bindings/binding.ts';
import type { RelationshipRecord } from '../../../src/core/failover/endpoint-types.ts';
import {
  BINDING_RECORD_BYTES_MAX,
  decodeRecord,
  encodeBindingInto,
  encodeRecord,
} from '../../../src/core/pipeline/record-codec.ts';
import type { LogRecord } from '../../../src/core/pipeline/records.ts';
import { BINDING_STATES, SERVER_STATES } from '../../../src/wire/failover/messages.ts';
import type { EpochSec, Ip4, Sec } from '../../../src/wire/units.ts';

type Keys<T extends object> = (keyof T)[];
const u32 = fc.oneof(
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
);
const at = u32 as fc.Arbitrary<EpochSec>;
const sec = u32 as fc.Arbitrary<Sec>;
const ip = u32 as fc.Arbitrary<Ip4>;
const u16 = fc.integer({ min: 0, max: 0xffff });
const field = fc.option(fc.uint8Array({ maxLength: 255 }), { nil: undefined });
const name = fc.string({ unit: 'grapheme', maxLength: 80 });
const owner = fc.constantFrom<'free' | 'backup'>('free', 'backup');

const binding: fc.Arbitrary<Binding> = fc.record({
  address: ip,
  state: fc.constantFrom(...(Object.keys(BINDING_STATES) as Keys<typeof BINDING_STATES>)),
  clientId: field,
  hardware: field,
  hostName: field,
  relayInfo: field,
  policy: field,
  dnsFlags: u16,
  leaseEndAt: at,
  sentPotentialAt: at,
  ackedPotentialAt: at,
  recvPotentialAt: at,
  lastTransactionAt: at,
  stateSinceAt: at,
  ipFlags: u16,
  dirty: fc.boolean(),
  told: fc.boolean(),
  ownedAs: owner,
  grantedHere: fc.boolean(),
});
const serverState = fc.constantFrom(...(Object.keys(SERVER_STATES) as Keys<typeof SERVER_STATES>));
const RELATIONSHIP_KEYS = [
  'name',
  'id',
  'state',
  'stateSinceAt',
  'partnerState',
  'partnerFlags',
  'partnerStateAt',
  'partnerDownAt',
  'lastOperationalAt',
  'skewSec',
  'mcltWasSec',
  'mcltWasUntilAt',
  'partnerStoreId',
  'partnerSequence',
  'wantsAll',
  'recoverWaitUntilAt',
  'silentScopeIds',
  'holdsAllData',
] as const;
/** The last three are only there when they say something. */
const relationship: fc.Arbitrary<RelationshipRecord> = fc.record(
  {
    name,
    id: name,
    state: serverState,
    stateSinceAt: at,
    partnerState: fc.option(serverState, { nil: undefined }),
    partnerFlags: fc.integer({ min: 0, max: 255 }),
    partnerStateAt: at,
    partnerDownAt: at,
    lastOperationalAt: at,
    skewSec: sec,
    mcltWasSec: sec,
    mcltWasUntilAt: at,
    partnerStoreId: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { nil: undefined }),
    partnerSequence: fc.maxSafeNat(),
    wantsAll: fc.boolean(),
    recoverWaitUntilAt: at,
    silentScopeIds: fc.array(ip, { maxLength: 20 }),
    holdsAllData: fc.boolean(),
    lossAt: at,
    toldSequence: fc.maxSafeNat(),
    adoptedMcltSec: sec,
    partnerConnectAt: at,
  },
  {
    requiredKeys: [...RELATIONSHIP_KEYS],
  },
);
const record: fc.Arbitrary<LogRecord> = fc.oneof(
  binding.map((b) => ({ kind: 'binding' as const, binding: b })),
  relationship.map((r) => ({ kind: 'relationship' as const, record: r })),
  name.map((n) => ({ kind: 'relationship-gone' as const, name: n })),
  ip.map((scopeId) => ({ kind: 'scope-gone' as const, scopeId })),
  fc.record({ kind: fc.constant('scope-given' as const), scopeId: ip, owner }),
  fc.record({ kind: fc.constant('range-given' as const), first: ip, last: ip, owner }),
  fc.record({
    kind: fc.constant('configuration' as const),
    number: fc.maxSafeNat(),
    sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
  fc.record({
    kind: fc.constant('transaction' as const),
    id: name,
    state: fc.constantFrom('prepared' as const, 'committed' as const, 'aborted' as const, 'forgotten' as const),
    body: fc.uint8Array({ maxLength: 2000 }),
  }),
  at.map((wallAt) => ({ kind: 'heartbeat' as const, wallAt })),
);

/** fast-check makes values without a prototype. */
function plain(r: LogRecord): LogRecord {
  if (r.kind === 'binding') return { kind: r.kind, binding: { ...r.binding } };
  return r.kind === 'relationship' ? { kind: r.kind, record: { ...r.record } } : { ...r };
}

test('every record comes back equal', () => {
  fc.assert(
    fc.property(record, (r) => assert.deepEqual(decodeRecord(encodeRecord(r)), { kind: 'ok', value: plain(r) })),
    { numRuns: 2000 },
  );
});

test('a record that is cut anywhere, or longer than its contents, is refused', () => {
  fc.assert(
    fc.property(record, fc.nat(), (r, cut) => {
      const bytes = encodeRecord(r);
      assert.equal(decodeRecord(bytes.subarray(0, cut % bytes.length)).kind, 'bad');
      assert.equal(decodeRecord(Uint8Array.from([...bytes, 0])).kind, 'bad');
    }),
    { numRuns: 500 },
  );
});

test('no bytes make the reader throw or look behind their end', () => {
  const kindFirst = fc.tuple(fc.integer({ min: 1, max: 8 }), fc.uint8Array({ maxLength: 80 }));
  fc.assert(
    fc.property(kindFirst, ([kind, rest]) => {
      const whole = new Uint8Array(rest.length + 4).fill(0xee);
      whole.set([kind, 1, ...rest]);
      const read = decodeRecord(whole.subarray(0, rest.length + 2));
      if (read.kind === 'bad') assert.ok(read.at <= rest.length + 2 && read.why.length > 0);
    }),
    { numRuns: 3000 },
  );
});

test('a kind or a version that is not known is refused as made by a newer version', () => {
  const heartbeat = encodeRecord({ kind: 'heartbeat', wallAt: 5 as EpochSec });
  for (const [offset, octet] of [
    [0, 0],
    [0, 10],
    [0, 255],
    [1, 0],
    [1, 2],
  ] as const) {
    const other = heartbeat.slice();
    other[offset] = octet;
    const read = decodeRecord(other);
    assert.equal(read.kind, 'bad');
    assert.match(read.why, /made by a newer version/);
    assert.equal(read.at, offset);
  }
});

test('a name that is not UTF-8 and a number that is too large are refused', () => {
  const gone = encodeRecord({ kind: 'relationship-gone', name: 'a' });
  gone[gone.length - 1] = 0xff;
  assert.equal(decodeRecord(gone).kind, 'bad');
  const configuration = encodeRecord({ kind: 'configuration', number: 1, sha256: new Uint8Array(32) });
  configuration.fill(0xff, 2, 10);
  assert.equal(decodeRecord(configuration).kind, 'bad');
});

test('a binding written into a shared buffer is the same record and leaves the rest alone', () => {
  fc.assert(
    fc.property(binding, fc.nat(50), (b, offset) => {
      const buffer = new Uint8Array(offset + BINDING_RECORD_BYTES_MAX + 5).fill(0xaa);
      const end = encodeBindingInto(b, buffer, offset);
      assert.deepEqual(buffer.slice(offset, end), encodeRecord({ kind: 'binding', binding: b }));
      assert.ok(buffer.subarray(0, offset).every((octet) => octet === 0xaa));
      assert.ok(buffer.subarray(end).every((octet) => octet === 0xaa));
    }),
    { numRuns: 300 },
  );
});

test('what was read does not change with the buffer it was read from', () => {
  const bytes = encodeRecord({ kind: 'transaction', id: 'x', state: 'prepared', body: Uint8Array.from([1, 2]) });
  const read = decodeRecord(bytes);
  bytes.fill(0);
  assert.deepEqual(read, {
    kind: 'ok',
    value: { kind: 'transaction', id: 'x', state: 'prepared', body: Uint8Array.from([1, 2]) },
  });
});

test('the record of an ordinary lease takes the room of its fields and little more', () => {
  const lease: Binding = {
    address: 1 as Ip4,
    state: 'active',
    clientId: new Uint8Array(19),
    hardware: new Uint8Array(7),
    hostName: new Uint8Array(20),
    relayInfo: undefined,
    policy: undefined,
    dnsFlags: 0,
    leaseEndAt: 1 as EpochSec,
    sentPotentialAt: 1 as EpochSec,
    ackedPotentialAt: 1 as EpochSec,
    recvPotentialAt: 0 as EpochSec,
    lastTransactionAt: 1 as EpochSec,
    stateSinceAt: 1 as EpochSec,
    ipFlags: 0,
    dirty: true,
    told: false,
    ownedAs: 'free',
    grantedHere: true,
  };
  assert.equal(encodeRecord({ kind: 'binding', binding: lease }).length, 2 + 4 + 3 + 5 * 4 + 19 + 7 + 20 + 3);
});
