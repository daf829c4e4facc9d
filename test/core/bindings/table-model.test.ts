/**
 * The binding table against the model: any sequence of changes gives equal answers, and a snapshot copied in pieces while they go
 * on, with the log of what happened replayed over it, gives an equal table.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AvailableState, Binding, BindingTable, PoolShape } from '../../../src/core/bindings/binding.ts';
import { makeBindingTable } from '../../../src/core/bindings/table.ts';
import { decodeRecord, encodeRecord } from '../../../src/core/pipeline/record-codec.ts';
import type { LogRecord } from '../../../src/core/pipeline/records.ts';
import type { EpochSec, Ip4 } from '../../../src/wire/units.ts';
import { addressesOf, Model } from './model.ts';

type Table = ReturnType<typeof makeBindingTable>;

/** Networks that the scopes of the test have; small ones side by side, and one over several words of bits. */
const NETWORKS = [
  { scopeId: 0x0a000000 as Ip4, prefixLength: 28 },
  { scopeId: 0x0a000010 as Ip4, prefixLength: 29 },
  { scopeId: 0xc0a80000 as Ip4, prefixLength: 25 },
] as const;
const CLIENT_IDS = [[1], [0, 1, 2], new Array(19).fill(7), new Array(255).fill(9)].map((octets) =>
  Uint8Array.from(octets),
);
const HARDWARE = [
  [1, 2, 0, 0, 0, 0, 1],
  [1, 2, 0, 0, 0, 0, 2],
].map((octets) => Uint8Array.from(octets));
const ALL = 1_000_000;

type Step =
  /** Becomes a `change` of what is there. */
  | { readonly kind: 'touch'; readonly address: Ip4; readonly changed: Partial<Binding> }
  | { readonly kind: 'set-pool'; readonly shape: PoolShape; readonly owner: AvailableState }
  | { readonly kind: 'remove-pool'; readonly scopeId: Ip4 }
  | { readonly kind: 'change'; readonly binding: Binding }
  | { readonly kind: 'give-all'; readonly scopeId: Ip4; readonly owner: AvailableState }
  | { readonly kind: 'take-due'; readonly at: EpochSec; readonly limit: number }
  | { readonly kind: 'begin-copy' }
  | { readonly kind: 'copy'; readonly section: number; readonly part: number }
  | { readonly kind: 'end-copy' };

const owner = fc.constantFrom<AvailableState>('free', 'backup');
const network = fc.constantFrom(...NETWORKS);
const someTime = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 20_000 }),
  fc.constantFrom(0xffffffff, 0xfffffffe),
) as fc.Arbitrary<EpochSec>;
const field = (values: readonly Uint8Array[]) => fc.option(fc.constantFrom(...values), { nil: undefined });

/** Mostly one of a few, so that steps meet. */
const address: fc.Arbitrary<Ip4> = network.chain((n) =>
  fc
    .oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 5 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** (32 - n.prefixLength) - 1 }) },
    )
    .map((i) => (n.scopeId + i) as Ip4),
);
const shape: fc.Arbitrary<PoolShape> = network.chain((n) => {
  const inNetwork = fc.integer({ min: 0, max: 2 ** (32 - n.prefixLength) - 1 }).map((i) => (n.scopeId + i) as Ip4);
  return fc
    .record({ a: inNetwork, b: inNetwork, c: inNetwork, d: inNetwork, reserved: fc.array(inNetwork, { maxLength: 3 }) })
    .map(({ a, b, c, d, reserved }) => {
      const [first, last] = [Math.min(a, b) as Ip4, Math.max(a, b) as Ip4];
      const excluded = { first: Math.max(Math.min(c, d), first) as Ip4, last: Math.min(Math.max(c, d), last) as Ip4 };
      return {
        ...n,
        firstAddress: first,
        lastAddress: last,
        exclusions: excluded.first <= excluded.last ? [excluded] : [],
        reserved,
      };
    });
});
const binding: fc.Arbitrary<Binding> = fc.record({
  address,
  state: fc.constantFrom('free', 'active', 'active', 'expired', 'released', 'abandoned', 'reset', 'backup'),
  clientId: field(CLIENT_IDS),
  hardware: field(HARDWARE),
  hostName: fc.option(fc.uint8Array({ minLength: 1, maxLength: 30 }), { nil: undefined, freq: 1 }),
  relayInfo: fc.option(fc.uint8Array({ minLength: 1, maxLength: 10 }), { nil: undefined, freq: 1 }),
  policy: fc.option(fc.uint8Array({ minLength: 1, maxLength: 10 }), { nil: undefined, freq: 1 }),
  dnsFlags: fc.integer({ min: 0, max: 0xffff }),
  leaseEndAt: someTime,
  sentPotentialAt: someTime,
  ackedPotentialAt: someTime,
  recvPotentialAt: someTime,
  lastTransactionAt: someTime,
  stateSinceAt: someTime,
  ipFlags: fc.integer({ min: 0, max: 0xffff }),
  dirty: fc.boolean(),
  told: fc.boolean(),
  ownedAs: owner,
  grantedHere: fc.boolean(),
});
const bareBinding: fc.Arbitrary<Binding> = fc
  .record({ address, state: owner, stateSinceAt: someTime, dirty: fc.boolean() })
  .map((some) => ({
    clientId: undefined,
    hardware: undefined,
    hostName: undefined,
    relayInfo: undefined,
    policy: undefined,
    dnsFlags: 0,
    leaseEndAt: 0 as EpochSec,
    sentPotentialAt: 0 as EpochSec,
    ackedPotentialAt: 0 as EpochSec,
    recvPotentialAt: 0 as EpochSec,
    lastTransactionAt: 0 as EpochSec,
    ipFlags: 0,
    told: false,
    ownedAs: 'free' as const,
    grantedHere: false,
    ...some,
  }));

const changed: fc.Arbitrary<Partial<Binding>> = fc.oneof(
  someTime.map((stateSinceAt) => ({ stateSinceAt })),
  someTime.map((leaseEndAt) => ({ leaseEndAt })),
  someTime.map((lastTransactionAt) => ({ lastTransactionAt })),
  binding.map(({ state }) => ({ state })),
  binding.map(({ clientId }) => ({ clientId })),
  binding.map(({ hostName }) => ({ hostName })),
  fc.boolean().map((dirty) => ({ dirty })),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('set-pool' as const), shape, owner }) },
  { weight: 1, arbitrary: network.map((n) => ({ kind: 'remove-pool' as const, scopeId: n.scopeId })) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('touch' as const), address, changed }) },
  { weight: 16, arbitrary: binding.map((b) => ({ kind: 'change' as const, binding: b })) },
  { weight: 5, arbitrary: bareBinding.map((b) => ({ kind: 'change' as const, binding: b })) },
  {
    weight: 1,
    arbitrary: fc.tuple(network, owner).map(([n, o]) => ({ kind: 'give-all' as const, scopeId: n.scopeId, owner: o })),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('take-due' as const), at: someTime, limit: fc.nat(5) }) },
);
const copyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: step },
  { weight: 1, arbitrary: fc.constant({ kind: 'begin-copy' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('copy' as const),
      section: fc.nat(20),
      // The first bytes of a section are where the rows of the test are, so they are often cut.
      part: fc.oneof(fc.constantFrom(1e-9, 1e-6, 1e-5), fc.double({ min: 0, max: 1, noNaN: true })),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'end-copy' as const }) },
);
/** Every scope is there at first, so that most steps find one. */
const atFirst: Step[] = NETWORKS.map((n) => ({
  kind: 'set-pool',
  owner: 'free',
  shape: {
    ...n,
    firstAddress: (n.scopeId + 1) as Ip4,
    lastAddress: (n.scopeId + 6) as Ip4,
    exclusions: [],
    reserved: [],
  },
}));

function settled(model: Model, s: Step): Step {
  if (s.kind !== 'touch') return s;
  const binding = model.find(s.address);
  return binding === undefined
    ? { kind: 'take-due', at: 0 as EpochSec, limit: 0 }
    : { kind: 'change', binding: { ...binding, ...s.changed } };
}

function knows(model: Model, s: Step): boolean {
  if (s.kind === 'change') return model.poolOf(s.binding.address) !== undefined;
  if (s.kind === 'give-all') return model.pools.has(s.scopeId);
  return true;
}

/** Does a step in the table; steps of a copy are not the table's. */
function doStep(table: BindingTable, s: Step): void {
  switch (s.kind) {
    case 'set-pool':
      table.setPool(s.shape, s.owner);
      break;
    case 'remove-pool':
      table.removePool(s.scopeId);
      break;
    case 'change':
      table.change(s.binding);
      break;
    case 'give-all':
      table.giveAll(s.scopeId, s.owner);
      break;
    case 'take-due':
      table.takeDue(s.at, s.limit);
      break;
    case 'touch':
    case 'begin-copy':
    case 'copy':
    case 'end-copy':
      break;
    default:
      s satisfies never;
  }
}

function doInModel(model: Model, s: Step): void {
  if (s.kind === 'set-pool') model.setPool(s.shape, s.owner);
  else if (s.kind === 'remove-pool') model.removePool(s.scopeId);
  else if (s.kind === 'change') model.change(s.binding);
  else if (s.kind === 'give-all') model.giveAll(s.scopeId, s.owner);
}

function order(table: BindingTable, scopeId: Ip4, of: AvailableState): Ip4[] {
  const seen: Ip4[] = [];
  const none = table.nextFree(scopeId, of, (a) => seen.push(a) > 0, ALL);
  assert.equal(none, undefined);
  return seen;
}

/** Everything that a table answers. */
function answers(table: BindingTable): unknown {
  return {
    size: table.size,
    dueAt: table.dueAt(),
    keys: CLIENT_IDS.map((id) => [
      table.findByClientId(id, undefined, ALL),
      NETWORKS.map((n) => table.findByClientId(id, n.scopeId, ALL)),
    ]),
    hardware: HARDWARE.map((id) => [
      table.findByHardware(id, undefined, ALL),
      NETWORKS.map((n) => table.findByHardware(id, n.scopeId, ALL)),
    ]),
    scopes: table.pools().map((pool) => ({
      pool,
      counts: table.counts(pool.scopeId),
      dirtyCount: table.dirtyCount(pool.scopeId),
      found: addressesOf(pool).map((a) => table.find(a)),
      members: addressesOf(pool).filter((a) => table.isInPool(a)),
      scan: table.scan(pool.scopeId, 0 as Ip4, ALL),
      scanAll: table.scanAll(pool.scopeId, 0 as Ip4, ALL),
      dirty: table.scanDirty(pool.scopeId, 0 as Ip4, ALL),
      transitory: table.scanTransitory(pool.scopeId, 0 as Ip4, ALL),
      free: order(table, pool.scopeId, 'free'),
      backup: order(table, pool.scopeId, 'backup'),
    })),
  };
}

function modelAnswers(model: Model): unknown {
  const transitory = ['expired', 'released', 'reset'];
  const pools = [...model.pools.values()].map((pool) => pool.shape).sort((a, b) => a.scopeId - b.scopeId);
  return {
    size: model.records.size,
    dueAt: model.dueAt(),
    keys: CLIENT_IDS.map((id) => [
      model.byKey('clientId', id),
      NETWORKS.map((n) => model.byKey('clientId', id, n.scopeId)),
    ]),
    hardware: HARDWARE.map((id) => [
      model.byKey('hardware', id),
      NETWORKS.map((n) => model.byKey('hardware', id, n.scopeId)),
    ]),
    scopes: pools.map((pool) => {
      const all = model.inScope(pool.scopeId);
      return {
        pool,
        counts: model.counts(pool.scopeId),
        dirtyCount: all.filter((b) => b.dirty).length,
        found: all,
        members: model.inPool(pool.scopeId).map((b) => b.address),
        scan: all.filter((b) => model.records.has(b.address)),
        scanAll: model.inPool(pool.scopeId),
        dirty: all.filter((b) => b.dirty).map((b) => b.address),
        transitory: all.filter((b) => transitory.includes(b.state)).map((b) => b.address),
        free: model.available(pool.scopeId, 'free'),
        backup: model.available(pool.scopeId, 'backup'),
      };
    }),
  };
}

test('any sequence of changes gives the answers of the model', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), fc.nat(), (steps, seed) => {
      const table = makeBindingTable(seed);
      const model = new Model();
      for (const raw of [...atFirst, ...steps]) {
        const s = settled(model, raw);
        if (!knows(model, s)) continue;
        if (s.kind === 'take-due') {
          const due = model.ending().filter((b) => b.leaseEndAt <= s.at);
          const taken = table.takeDue(s.at, s.limit);
          // Of leases that ended in the same second any may come first.
          assert.deepEqual(
            taken.map((a) => model.find(a)!.leaseEndAt),
            due.slice(0, s.limit).map((b) => b.leaseEndAt),
          );
          assert.equal(new Set(taken).size, taken.length);
          assert.deepEqual(table.takeDue(s.at, ALL).sort(), due.map((b) => b.address).sort());
        } else doStep(table, s);
        doInModel(model, s);
      }
      assert.deepEqual(answers(table), modelAnswers(model));
    }),
    { numRuns: 300 },
  );
});

test('scans and searches begin where they are told and stop at their limit', () => {
  fc.assert(
    fc.property(
      fc.array(binding, { minLength: 1, maxLength: 40 }),
      address,
      fc.integer({ min: 1, max: 5 }),
      (bindings, from, limit) => {
        const table = makeBindingTable(1);
        const model = new Model();
        for (const s of atFirst) {
          doStep(table, s);
          doInModel(model, s);
        }
        for (const b of bindings) {
          table.change(b);
          model.change(b);
        }
        for (const { scopeId } of NETWORKS) {
          const all = model.inScope(scopeId).filter((b) => b.address >= from);
          const records = all.filter((b) => model.records.has(b.address));
          assert.deepEqual(table.scan(scopeId, from, limit), records.slice(0, limit));
          const members = model.inPool(scopeId).filter((b) => b.address >= from);
          assert.deepEqual(table.scanAll(scopeId, from, limit), members.slice(0, limit));
          const dirty = all.filter((b) => b.dirty).map((b) => b.address);
          assert.deepEqual(table.scanDirty(scopeId, from, limit), dirty.slice(0, limit));
          const order = model.available(scopeId, 'free');
          const skipped = new Set(order.slice(0, limit));
          const skip = (a: Ip4): boolean => skipped.has(a);
          assert.equal(table.nextFree(scopeId, 'free', skip, limit + 1), order[limit]);
          assert.equal(table.nextFree(scopeId, 'free', skip, limit), skipped.size < limit ? order[limit] : undefined);
        }
        for (const id of CLIENT_IDS) {
          assert.deepEqual(table.findByClientId(id, undefined, limit), model.byKey('clientId', id).slice(0, limit));
        }
      },
    ),
    { numRuns: 100 },
  );
});

/** A copy under way: what was read of each section, and what happened since it began. */
interface Copy {
  readonly shapes: readonly PoolShape[];
  readonly sections: readonly { name: string; from: Uint8Array; bytes: Uint8Array; done: number }[];
  readonly log: (Uint8Array | Extract<Step, { kind: 'set-pool' }>)[];
}

function beginCopy(table: Table): Copy {
  return {
    shapes: table.pools(),
    sections: table.beginCopy().map(({ name, buffer, byteLength }) => ({
      name,
      from: new Uint8Array(buffer),
      bytes: new Uint8Array(byteLength),
      done: 0,
    })),
    log: [],
  };
}

function copyPart(copy: Copy, section: number, part: number): void {
  const chosen = copy.sections[section % copy.sections.length]!;
  const end = chosen.done + Math.ceil((chosen.bytes.length - chosen.done) * part);
  chosen.bytes.set(chosen.from.subarray(chosen.done, end), chosen.done);
  chosen.done = end;
}

function logOf(s: Step): Copy['log'] {
  const record = (r: LogRecord): Copy['log'] => [encodeRecord(r)];
  if (s.kind === 'set-pool') return [s];
  if (s.kind === 'remove-pool') return record({ kind: 'scope-gone', scopeId: s.scopeId });
  if (s.kind === 'change') return record({ kind: 'binding', binding: s.binding });
  if (s.kind === 'give-all') return record({ kind: 'scope-given', scopeId: s.scopeId, owner: s.owner });
  return [];
}

function replay(table: Table, copy: Copy): void {
  for (const entry of copy.log) {
    if (!(entry instanceof Uint8Array)) {
      table.setPool(entry.shape, entry.owner);
      continue;
    }
    const read = decodeRecord(entry);
    assert.equal(read.kind, 'ok');
    const record = read.value;
    if (record.kind === 'binding') table.change(record.binding);
    else if (record.kind === 'scope-gone') table.removePool(record.scopeId);
    else if (record.kind === 'scope-given') table.giveAll(record.scopeId, record.owner);
  }
}

function finish(table: Table, copy: Copy, seed: number): void {
  for (let i = 0; i < copy.sections.length; i++) copyPart(copy, i, 1);
  table.endCopy();
  const restored = makeBindingTable(seed + 1);
  for (const shape of copy.shapes) restored.setPool(shape, 'free');
  assert.deepEqual(restored.restore(copy.sections), { kind: 'ok' });
  replay(restored, copy);
  assert.deepEqual(answers(restored), answers(table));
}

test('a snapshot torn by changes, with their records replayed, equals the live table', () => {
  fc.assert(
    fc.property(fc.array(copyStep, { minLength: 20, maxLength: 120 }), fc.nat(), (steps, seed) => {
      const table = makeBindingTable(seed);
      const model = new Model();
      let copy: Copy | undefined;
      for (const raw of [...atFirst, ...steps]) {
        const s = settled(model, raw);
        if (!knows(model, s)) continue;
        if (s.kind === 'begin-copy') copy ??= beginCopy(table);
        else if (s.kind === 'copy' && copy !== undefined) copyPart(copy, s.section, s.part);
        else if (s.kind === 'end-copy' && copy !== undefined) {
          finish(table, copy, seed);
          copy = undefined;
        }
        doStep(table, s);
        doInModel(model, s);
        copy?.log.push(...logOf(s));
      }
      finish(table, copy ?? beginCopy(table), seed);
      assert.deepEqual(answers(table), modelAnswers(model));
    }),
    { numRuns: 120 },
  );
});
