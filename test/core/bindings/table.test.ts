/** Single rules of the binding table that the model test does not show by themselves, and what it costs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Binding, emptyBinding, type PoolShape } from '../../../src/core/bindings/binding.ts';
import { CHUNK_ROWS } from '../../../src/core/bindings/rows.ts';
import { makeBindingTable } from '../../../src/core/bindings/table.ts';
import { AssertionFailed, type EpochSec, type Ip4 } from '../../../src/wire/units.ts';
import { benchBinding, FIRST_ADDRESS, fillTable, millionShape } from './filled.ts';

const SCOPE = 0x0a000000 as Ip4;

function shapeOf(first: number, last: number, more: Partial<PoolShape> = {}): PoolShape {
  const range = { firstAddress: (SCOPE + first) as Ip4, lastAddress: (SCOPE + last) as Ip4 };
  return { scopeId: SCOPE, prefixLength: 24, ...range, exclusions: [], reserved: [], ...more };
}

function lease(address: number, more: Partial<Binding> = {}): Binding {
  return { ...benchBinding(0), address: address as Ip4, ...more };
}

function sectionsOf(table: ReturnType<typeof makeBindingTable>): { name: string; bytes: Uint8Array }[] {
  const sections = table.beginCopy().map(({ name, buffer }) => ({ name, bytes: new Uint8Array(buffer).slice() }));
  table.endCopy();
  return sections;
}

test('a scope of sixteen million addresses costs bits, and its never-used addresses are found at both ends', () => {
  const table = makeBindingTable(1);
  const first = (SCOPE + 10) as Ip4;
  const last = (SCOPE + 0xfffff0) as Ip4;
  table.setPool(
    { scopeId: SCOPE, prefixLength: 8, firstAddress: first, lastAddress: last, exclusions: [], reserved: [] },
    'backup',
  );
  assert.equal(table.counts(SCOPE).backup, last - first + 1);
  assert.ok(table.bufferBytes() < 20_000_000, String(table.bufferBytes()));
  assert.equal(table.nextFree(SCOPE, 'backup'), first);
  assert.equal(table.nextFree(SCOPE, 'free'), undefined);
  table.change(emptyBinding(last, 'free'));
  assert.equal(table.nextFree(SCOPE, 'free'), last);
  assert.deepEqual(
    table.scanAll(SCOPE, (last - 1) as Ip4, 5).map((b) => b.state),
    ['backup', 'free'],
  );
  assert.equal(table.size, 0);
});

test('a move of never-used addresses between the servers leaves no rows behind once it is acknowledged', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 200), 'free');
  for (let i = 1; i <= 100; i++) {
    table.change({
      ...emptyBinding((SCOPE + i) as Ip4, 'backup'),
      dirty: true,
      told: true,
      stateSinceAt: 5 as EpochSec,
      ownedAs: 'free',
    });
  }
  assert.equal(table.size, 100);
  assert.equal(table.dirtyCount(SCOPE), 100);
  for (const address of table.scanDirty(SCOPE, SCOPE, 1000)) table.change({ ...table.find(address)!, dirty: false });
  assert.equal(table.size, 0);
  assert.equal(table.counts(SCOPE).backup, 100);
  assert.equal(table.find((SCOPE + 1) as Ip4)?.ownedAs, 'backup');
});

test('an address that enters the pool anew belongs to the owner that the new shape names', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 20), 'free');
  table.giveAll(SCOPE, 'backup');
  table.setPool(shapeOf(1, 10), 'free');
  table.setPool(shapeOf(1, 30), 'free');
  assert.deepEqual([table.counts(SCOPE).backup, table.counts(SCOPE).free], [10, 20]);
});

test('a lease outside the pool stays, is counted apart, and is given away again when the pool grows over it', () => {
  const table = makeBindingTable(1);
  const address = (SCOPE + 15) as Ip4;
  table.setPool(shapeOf(1, 20), 'free');
  table.change(lease(address));
  table.setPool(shapeOf(1, 20, { exclusions: [{ first: address, last: address }] }), 'free');
  assert.equal(table.counts(SCOPE).activeOutside, 1);
  assert.equal(table.counts(SCOPE).active, 0);
  assert.equal(table.isInPool(address), false);
  table.change(lease(address, { state: 'free', stateSinceAt: 9 as EpochSec }));
  const all: Ip4[] = [];
  table.nextFree(SCOPE, 'free', (a) => all.push(a) > 0, 100);
  assert.equal(all.includes(address), false);
  table.setPool(shapeOf(1, 20), 'free');
  all.length = 0;
  table.nextFree(SCOPE, 'free', (a) => all.push(a) > 0, 100);
  assert.equal(all.at(-1), address);
});

test('a network that becomes larger or smaller keeps the bindings and owners that lie in it', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 200), 'free');
  table.change(lease(SCOPE + 5));
  table.change(lease(SCOPE + 180));
  table.change(emptyBinding((SCOPE + 7) as Ip4, 'backup'));
  table.setPool({ ...shapeOf(1, 300), prefixLength: 23 }, 'free');
  assert.equal(table.counts(SCOPE).active, 2);
  assert.equal(table.counts(SCOPE).backup, 1);
  table.setPool({ ...shapeOf(1, 100), prefixLength: 25 }, 'free');
  assert.equal(table.size, 1);
  assert.equal(table.counts(SCOPE).backup, 1);
  assert.equal(table.find((SCOPE + 180) as Ip4), undefined);
});

test('scopes whose networks overlap, and bindings of no scope, are faults of the program', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 20), 'free');
  const inside = { ...shapeOf(129, 140), scopeId: (SCOPE + 128) as Ip4, prefixLength: 25 };
  assert.throws(() => table.setPool(inside, 'free'), AssertionFailed);
  assert.throws(() => table.change(lease(SCOPE + 1000)), AssertionFailed);
  assert.throws(() => table.change(lease(SCOPE + 5, { hostName: new Uint8Array(256) })), AssertionFailed);
});

test('answers are copies: what a caller puts into them changes nothing', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 20), 'free');
  table.change(lease(SCOPE + 5));
  const found = table.find((SCOPE + 5) as Ip4)!;
  found.clientId = undefined;
  found.state = 'expired';
  assert.deepEqual(table.find((SCOPE + 5) as Ip4), lease(SCOPE + 5));
});

test('leases of scopes that are not asked for do not fill the answer of the due ones', () => {
  const table = makeBindingTable(1);
  const other = (SCOPE + 256) as Ip4;
  table.setPool(shapeOf(1, 20), 'free');
  table.setPool({ ...shapeOf(257, 270), scopeId: other }, 'free');
  for (let i = 1; i <= 10; i++) table.change(lease(SCOPE + i, { leaseEndAt: i as EpochSec }));
  table.change(lease(other + 3, { leaseEndAt: 50 as EpochSec }));
  assert.deepEqual(
    table.takeDue(100 as EpochSec, 2, (scopeId) => scopeId === other),
    [other + 3],
  );
  assert.equal(table.takeDue(100 as EpochSec, 2).length, 2);
});

test('sections that are not a snapshot of a known layout are refused with words and change nothing', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 20), 'free');
  table.change(lease(SCOPE + 5));
  const good = sectionsOf(table);
  const broken = (name: string, change: (bytes: Uint8Array) => Uint8Array): typeof good =>
    good.map((section) => (section.name === name ? { name, bytes: change(section.bytes.slice()) } : section));
  const newer = broken('about', (bytes) => {
    bytes[4] = 2;
    return bytes;
  });
  const cases: [string, { name: string; bytes: Uint8Array }[], RegExp][] = [
    ['nothing', [], /does not say its layout/],
    ['another magic', broken('about', (bytes) => bytes.fill(1)), /not one of a binding table/],
    ['a newer layout', newer, /newer version/],
    ['a section missing', good.filter(({ name }) => name !== 'rows.0'), /lacks a section/],
    ['a section cut', broken('arena.0', (bytes) => bytes.subarray(8)), /lacks a section/],
    ['scopes cut', broken('scopes', (bytes) => bytes.subarray(0, 8)), /scopes in the snapshot/],
  ];
  for (const [what, sections, why] of cases) {
    const result = table.restore(sections);
    assert.equal(result.kind, 'bad', what);
    assert.match(result.why, why);
  }
  assert.deepEqual(table.find((SCOPE + 5) as Ip4), lease(SCOPE + 5));
});

test('rows full of nonsense are left out, and good rows beside them are taken', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 200), 'free');
  for (let i = 1; i <= 100; i++) table.change(lease(SCOPE + i));
  const sections = sectionsOf(table);
  const rows = sections.find(({ name }) => name === 'rows.0')!.bytes;
  const words = new Uint32Array(rows.buffer);
  // Columns as `rows.ts` lays them: addresses first, then references; flags after the eight wide columns.
  words[1] = words[0]!;
  words[2] = 0xdeadbeef;
  words[CHUNK_ROWS + 3] = 0xfffffff0;
  words[CHUNK_ROWS + 4]! += 1;
  rows[8 * 4 * CHUNK_ROWS + 2 * 5] = 0x80;
  words[CHUNK_ROWS + 6] = words[CHUNK_ROWS + 7]!;
  const other = makeBindingTable(2);
  other.setPool(shapeOf(1, 200), 'free');
  assert.deepEqual(other.restore(sections), { kind: 'ok' });
  assert.equal(other.size, 94);
  assert.equal(other.counts(SCOPE).active, 94);
  for (let i = 2; i <= 7; i++) other.change(lease(SCOPE + i));
  assert.deepEqual(other.scan(SCOPE, SCOPE, 1000), table.scan(SCOPE, SCOPE, 1000));
});

test('a row used again while it is copied does not bring back the address that had it before', () => {
  const table = makeBindingTable(1);
  const [gone, fresh] = [(SCOPE + 5) as Ip4, (SCOPE + 6) as Ip4];
  table.setPool(shapeOf(1, 20), 'free');
  table.change(lease(gone));
  table.change(emptyBinding(gone, 'free'));
  const live = table.beginCopy();
  const early = live.map(({ buffer }) => new Uint8Array(buffer).slice());
  table.change(lease(fresh));
  // Of the rows the first column, the addresses, was copied before the change, and everything else after it.
  const sections = live.map(({ name, buffer }, i) => {
    const bytes = new Uint8Array(buffer).slice();
    if (name === 'rows.0') bytes.set(early[i]!.subarray(0, 4 * CHUNK_ROWS));
    return { name, bytes };
  });
  table.endCopy();
  const restored = makeBindingTable(2);
  restored.setPool(shapeOf(1, 20), 'free');
  assert.deepEqual(restored.restore(sections), { kind: 'ok' });
  restored.change(lease(fresh));
  assert.deepEqual(restored.scan(SCOPE, SCOPE, 10), table.scan(SCOPE, SCOPE, 10));
});

test('random damage of a snapshot never makes restoring throw', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 200), 'free');
  for (let i = 1; i <= 200; i++) table.change(lease(SCOPE + i, { state: i % 2 === 0 ? 'active' : 'free' }));
  const sections = sectionsOf(table);
  let n = 7;
  const random = (below: number): number => {
    n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
    return Math.floor((n / 0x100000000) * below);
  };
  for (let round = 0; round < 20; round++) {
    const damaged = sections.map(({ name, bytes }) => {
      const copy = bytes.slice();
      if (name.includes('.')) {
        // The beginnings of the columns and pieces, where the contents are.
        for (let i = 0; i < 200; i++) copy[(random(10) * 4 * CHUNK_ROWS + random(1000)) % copy.length] = random(256);
      }
      return { name, bytes: copy };
    });
    const other = makeBindingTable(round);
    other.setPool(shapeOf(1, 200), 'free');
    assert.deepEqual(other.restore(damaged), { kind: 'ok' });
    const counts = other.counts(SCOPE);
    assert.equal(counts.free + counts.backup + counts.active + counts.transitory + counts.abandoned, counts.total);
  }
});

test('scopes set before a restore keep their shape, and scopes that are gone do not come back', () => {
  const table = makeBindingTable(1);
  table.setPool(shapeOf(1, 20), 'free');
  table.setPool({ ...shapeOf(257, 270), scopeId: (SCOPE + 256) as Ip4 }, 'free');
  table.change(emptyBinding((SCOPE + 3) as Ip4, 'backup'));
  table.change(lease(SCOPE + 4));
  table.change(lease(SCOPE + 260));
  const later = makeBindingTable(2);
  later.setPool(shapeOf(2, 30), 'free');
  assert.deepEqual(later.restore(sectionsOf(table)), { kind: 'ok' });
  assert.deepEqual(later.pools(), [shapeOf(2, 30)]);
  assert.equal(later.size, 1);
  assert.deepEqual(later.counts(SCOPE), { ...later.counts(SCOPE), active: 1, backup: 1, free: 27, total: 29 });
});

test('a million bindings with 19-byte identifiers and 20-byte names take less than 200 MB', () => {
  const bindings = 1_000_000;
  const table = makeBindingTable(3);
  table.setPool(millionShape(bindings), 'free');
  fillTable(table, bindings);
  assert.equal(table.size, bindings);
  assert.ok(table.bufferBytes() < 200_000_000, String(table.bufferBytes()));
});

test('a table of several blocks comes back from its snapshot, every binding as it was, in no more memory', () => {
  const bindings = 6 * CHUNK_ROWS + 5;
  const table = makeBindingTable(3);
  table.setPool(millionShape(bindings), 'free');
  fillTable(table, bindings);
  const restored = makeBindingTable(4);
  restored.setPool(millionShape(bindings), 'free');
  assert.deepEqual(restored.restore(sectionsOf(table)), { kind: 'ok' });
  assert.equal(restored.size, bindings);
  assert.ok(restored.bufferBytes() <= table.bufferBytes());
  for (let n = 0; n < bindings; n += 97) {
    assert.deepEqual(restored.find((FIRST_ADDRESS + n) as Ip4), benchBinding(n));
    assert.deepEqual(restored.findByClientId(benchBinding(n).clientId!), [benchBinding(n)]);
    assert.deepEqual(restored.findByHardware(benchBinding(n).hardware!), [benchBinding(n)]);
  }
});
