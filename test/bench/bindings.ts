/**
 * Measures the binding table at a million bindings (19-byte client identifiers, 20-byte host names): memory, time to load, time
 * per operation, longest single change. Run by hand: `node dist/test/bench/bindings.js [bindings]`.
 */
import { performance } from 'node:perf_hooks';
import type { Binding } from '../../src/core/bindings/binding.ts';
import { makeBindingTable } from '../../src/core/bindings/table.ts';
import { BINDING_RECORD_BYTES_MAX, decodeRecord, encodeBindingInto } from '../../src/core/pipeline/record-codec.ts';
import type { EpochSec, Ip4 } from '../../src/wire/units.ts';
import { benchBinding, FIRST_ADDRESS, fillTable, millionShape } from '../core/bindings/filled.ts';

const OPERATIONS = 200_000;
const MEGABYTE = 1_000_000;

function main(): void {
  const bindings = Number(process.argv[2] ?? 1_000_000);
  const rssBefore = process.memoryUsage().rss;
  const table = makeBindingTable(0x5eed);
  table.setPool(millionShape(bindings), 'free');
  const load = fillTable(table, bindings);
  print('load through change', load.totalMs / 1000, 's');
  print('longest single change', load.longestMs, 'ms');
  print('buffers', table.bufferBytes() / MEGABYTE, 'MB');
  print('growth of resident memory', (process.memoryUsage().rss - rssBefore) / MEGABYTE, 'MB');

  const pick = picker(bindings);
  const client = (): Binding => benchBinding(pick());
  perOperation('make a binding (taken off below)', () => client());
  perOperation('find by address', () => table.find((FIRST_ADDRESS + pick()) as Ip4));
  perOperation('find by client identifier', () => table.findByClientId(client().clientId!));
  perOperation('find by hardware address', () => table.findByHardware(client().hardware!));
  let later = 1;
  perOperation('renew', () => {
    const binding = client();
    table.change({ ...binding, leaseEndAt: (binding.leaseEndAt + later++) as EpochSec });
  });
  const room = new Uint8Array(BINDING_RECORD_BYTES_MAX);
  perOperation('encode a record', () => encodeBindingInto(client(), room, 0));

  let since = 0x70000000;
  perOperation('release', () => {
    table.change({ ...client(), state: 'free', leaseEndAt: 0 as EpochSec, stateSinceAt: since++ as EpochSec });
  });
  perOperation('take the next free one', () => {
    const address = table.nextFree(millionShape(bindings).scopeId, 'free');
    if (address !== undefined) table.change(benchBinding(address - FIRST_ADDRESS));
  });
  const start = performance.now();
  let due = 0;
  for (let at = 0x65000000; at < 0x65000000 + 8192; at++) due += table.takeDue(at as EpochSec, 10).length;
  print('look for due leases, per second of time (' + due + ' due)', ((performance.now() - start) * 1000) / 8192, 'us');

  restoreAll(table, bindings);
  replayAll(bindings);
}

function restoreAll(table: ReturnType<typeof makeBindingTable>, bindings: number): void {
  const sections = table.beginCopy().map(({ name, buffer }) => ({ name, bytes: new Uint8Array(buffer).slice() }));
  table.endCopy();
  const other = makeBindingTable(1);
  other.setPool(millionShape(bindings), 'free');
  const start = performance.now();
  const result = other.restore(sections);
  print('restore from ' + sections.length + ' sections: ' + result.kind, (performance.now() - start) / 1000, 's');
  print('bindings restored', other.size, '');
}

function replayAll(bindings: number): void {
  const room = new Uint8Array(BINDING_RECORD_BYTES_MAX);
  const table = makeBindingTable(2);
  table.setPool(millionShape(bindings), 'free');
  let spentMs = 0;
  for (let n = 0; n < bindings; n++) {
    const record = room.slice(0, encodeBindingInto(benchBinding(n), room, 0));
    const start = performance.now();
    const read = decodeRecord(record);
    if (read.kind === 'ok' && read.value.kind === 'binding') table.change(read.value.binding);
    spentMs += performance.now() - start;
  }
  print('load record by record', spentMs / 1000, 's');
}

function perOperation(name: string, operation: () => unknown): void {
  const start = performance.now();
  for (let i = 0; i < OPERATIONS; i++) operation();
  print(name, ((performance.now() - start) * 1_000_000) / OPERATIONS, 'ns');
}

/** A fixed walk over all bindings in no order. */
function picker(bindings: number): () => number {
  let n = 1;
  return () => {
    n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
    return n % bindings;
  };
}

function print(what: string, value: number, unit: string): void {
  process.stdout.write(what.padEnd(60) + value.toFixed(value < 100 ? 2 : 0).padStart(10) + ' ' + unit + '\n');
}

main();
