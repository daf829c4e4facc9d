/** A process killed under load: every record that it had acknowledged is in the store, in order and without a gap. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeFileLayer } from '../../src/store/file-layer.ts';
import { openStore } from '../../src/store/store.ts';
import { KILL_LIMITS, slotOf } from './kill-shared.ts';
import { Random } from './random.ts';
import { EXTRA_SLOTS, SHARED_SLOTS, SlotTable } from './slot-world.ts';

const ROUNDS = 6;
const CHILD = fileURLToPath(new URL('./kill-child.js', import.meta.url));

/** Starts the child, kills it after so many acknowledgements, and answers the newest number that it acknowledged. */
async function runAndKill(dir: string, first: number, acknowledgements: number): Promise<number> {
  const child = spawn(process.execPath, [CHILD, dir, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let newest = 0;
  let heard = 0;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      newest = Number(line);
      if (++heard === 1) await mustBeLocked(dir, child.pid);
      if (heard === acknowledgements) child.kill('SIGKILL');
    }
  } finally {
    child.kill('SIGKILL');
  }
  const [, signal] = await exited;
  assert.equal(signal, 'SIGKILL');
  return newest;
}

async function mustBeLocked(dir: string, holder: number | undefined): Promise<void> {
  const second = await openStore(dir, nodeFileLayer, KILL_LIMITS, new SlotTable().sink);
  assert.equal(second.kind, 'bad', 'two processes never share a store');
  if (second.kind === 'bad') assert.match(second.why, new RegExp(`in use by process ${holder}`));
}

test('a process killed under load has every acknowledged record in its store', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'twinlease-kill-'));
  const random = new Random(process.pid);
  let newest = 0;
  let withSnapshot = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await runAndKill(dir, newest, 30 + random.below(120));
      assert.ok(acknowledged > newest);
      const table = new SlotTable();
      const opened = await openStore(dir, nodeFileLayer, KILL_LIMITS, table.sink);
      if (opened.kind === 'bad') assert.fail(opened.why);
      if (opened.replay.snapshotSequence > 0) withSnapshot++;
      const state = table.state();
      newest = Math.max(...state);
      assert.ok(newest >= acknowledged, `record ${acknowledged} was acknowledged, and ${newest} is the newest`);
      const expected = new Array<number>(SHARED_SLOTS + EXTRA_SLOTS).fill(0);
      for (let version = 1; version <= newest; version++) expected[slotOf(version)] = version;
      assert.deepEqual(state, expected);
      await opened.store.close();
      assert.ok(
        (await readdir(dir)).every((name) => !name.endsWith('.tmp')),
        'leftovers are removed',
      );
    }
    assert.ok(withSnapshot > 0, 'some round came back from a snapshot');
  } finally {
    await rm(dir, { recursive: true });
  }
});
