/**
 * Walks over the addresses of some scopes in chunks, so that a table of a million bindings is never copied at once. Between two
 * chunks the table may change; what changes behind the cursor is found by its own queue.
 */
import type { Ip4 } from '../../wire/units.ts';
import type { Context, Cursor } from './context.ts';
import { SCAN_CHUNK } from './limits.ts';

export function makeCursor(scopeIds: readonly Ip4[]): Cursor {
  return { scopeIds: [...scopeIds], index: 0, isOutsidePool: false, from: 0 as Ip4, buffer: [], isDone: false };
}

/** The next address: `all` of the pools and every record outside them, or what is `dirty`. Undefined at the end. */
export function nextOf(ctx: Context, cursor: Cursor, which: 'all' | 'dirty'): Ip4 | undefined {
  while (cursor.buffer.length === 0) {
    if (cursor.isDone) return undefined;
    fill(ctx, cursor, which);
  }
  return cursor.buffer.pop();
}

export function isCursorDone(cursor: Cursor): boolean {
  return cursor.isDone && cursor.buffer.length === 0;
}

function fill(ctx: Context, cursor: Cursor, which: 'all' | 'dirty'): void {
  const scopeId = cursor.scopeIds[cursor.index];
  if (scopeId === undefined) {
    cursor.isDone = true;
    return;
  }
  if (!ctx.scopeIds.has(scopeId)) {
    nextScope(cursor);
    return;
  }
  const found = addressesFrom(ctx, cursor, scopeId, which);
  const last = found.at(-1);
  const isOutsidePool = cursor.isOutsidePool;
  if (found.length === SCAN_CHUNK && last !== undefined && last !== 0xffffffff) {
    cursor.from = (last + 1) as Ip4;
  } else if (which === 'all' && !isOutsidePool) {
    cursor.isOutsidePool = true;
    cursor.from = 0 as Ip4;
  } else nextScope(cursor);
  // The second pass meets the records of the pool again; they were in the first.
  cursor.buffer = (isOutsidePool ? found.filter((address) => !ctx.bindings.isInPool(address)) : found).reverse();
}

function nextScope(cursor: Cursor): void {
  cursor.index++;
  cursor.isOutsidePool = false;
  cursor.from = 0 as Ip4;
}

function addressesFrom(ctx: Context, cursor: Cursor, scopeId: Ip4, which: 'all' | 'dirty'): Ip4[] {
  if (which === 'dirty') return ctx.bindings.scanDirty(scopeId, cursor.from, SCAN_CHUNK);
  const found = cursor.isOutsidePool
    ? ctx.bindings.scan(scopeId, cursor.from, SCAN_CHUNK)
    : ctx.bindings.scanAll(scopeId, cursor.from, SCAN_CHUNK);
  return found.map((binding) => binding.address);
}
