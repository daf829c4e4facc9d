/**
 * The process that the kill test kills: it writes records as fast as it can over the real files, takes snapshots all the time, and
 * writes to its output the number of the newest record of each durable commit, only after that commit is durable.
 */
import { writeSync } from 'node:fs';
import { nodeFileLayer } from '../../src/store/file-layer.ts';
import { openStore } from '../../src/store/store.ts';
import { KILL_LIMITS, slotOf } from './kill-shared.ts';
import { SlotTable, slotRecord } from './slot-world.ts';

const OUTSTANDING = 300;
const [dir = '', first = ''] = process.argv.slice(2);
if (dir === '') {
  console.error('kill-child: started by kill.test only');
  process.exit(2);
}

const table = new SlotTable();
const opened = await openStore(dir, nodeFileLayer, KILL_LIMITS, table.sink);
if (opened.kind === 'bad') throw new Error(opened.why);
const { store } = opened;
let version = Number(first);
const newestOf = new Map<number, number>();

function fill(): void {
  for (let n = 0; n < OUTSTANDING; n++) {
    version++;
    const sequence = store.append(slotRecord(slotOf(version), version, version % 150));
    if (sequence < 0) {
      version--;
      break;
    }
    table.set(slotOf(version), version);
    newestOf.set(sequence, version);
  }
  store.kick();
  if (store.isSnapshotDue) void store.snapshot(table, () => table.extraRecords());
}

store.onFailed((cause) => {
  throw cause;
});
store.onDurable((sequence) => {
  const newest = newestOf.get(sequence);
  newestOf.delete(sequence);
  writeSync(1, `${newest}\n`);
  fill();
});
fill();
