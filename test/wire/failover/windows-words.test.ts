/** Windows's two vocabularies of binding-status, its text and its option 5 (specification 3.2 to 3.4; *unverified*). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, encodeMessage } from '../../../src/wire/failover/codec.ts';
import type { BindingUpdate, FailoverMessage } from '../../../src/wire/failover/messages.ts';
import { listOptions } from '../../../src/wire/failover/options.ts';
import { windowsText } from '../../../src/wire/failover/update.ts';
import { type EpochSec, parseIp4, toHex } from '../../../src/wire/units.ts';

const ADDRESS = parseIp4('192.168.1.20')!;

function told(update: Partial<BindingUpdate> & Pick<BindingUpdate, 'state'>): {
  readonly status: number | undefined;
  readonly hardware: string | undefined;
  readonly back: BindingUpdate;
} {
  const message = { kind: 'bndupd', sentAt: 5 as EpochSec, xid: 1, updates: [{ address: ADDRESS, ...update }] };
  const bytes = encodeMessage(message as FailoverMessage, 'msft');
  const listed = listOptions(bytes, 12);
  assert.ok(listed.kind === 'ok');
  const data = (code: number): Uint8Array | undefined => {
    const option = listed.value.find((found) => found.code === code);
    return option && bytes.subarray(option.dataAt, option.end);
  };
  const read = decodeMessage(bytes, 'msft');
  assert.ok(read.kind === 'ok' && read.value.kind === 'bndupd');
  const hardware = data(5);
  return { status: data(3)?.[0], hardware: hardware && toHex(hardware), back: read.value.updates[0]! };
}

for (const [state, move, status] of [
  ['free', undefined, 1],
  ['backup', undefined, 2],
  ['free', 'reconcile', 4],
  ['free', 'resent', 5],
  ['backup', 'resent', 6],
] as const)
  test(`3.4 an available address ${state}${move === undefined ? '' : `, ${move},`} is told as ${status}, without a client`, () => {
    const { status: number, hardware, back } = told({ state, move, hardware: Uint8Array.of(1, 2, 3, 4, 5, 6, 7) });
    assert.equal(number, status);
    assert.equal(hardware, undefined);
    assert.deepEqual([back.state, back.move], [state, move]);
  });

for (const [state, status, readAs] of [
  ['active', 1, 'active'],
  ['released', 1, 'released'],
  ['expired', 3, 'expired'],
  ['abandoned', 2, 'expired'],
  ['reset', 3, 'expired'],
] as const)
  test(`3.4 a lease that is ${state} is told as ${status} with a hardware address, and read as ${readAs}`, () => {
    const {
      status: number,
      hardware,
      back,
    } = told({
      state,
      hardware: Uint8Array.of(1, 2, 3, 4, 5, 6, 7),
      scopeId: parseIp4('192.168.1.0'),
    });
    assert.equal(number, status);
    // The scope, lowest byte first (specification 3.3).
    assert.equal(hardware, '0001a8c001020304050607');
    assert.equal(back.state, readAs);
    assert.deepEqual(back.hardware, Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
  });

test('3.2 text is UTF-16 with its low byte first and a final NUL', () => {
  assert.equal(toHex(windowsText('ab')), '610062000000');
  assert.equal(windowsText('client.example.org').length, 2 * 18 + 2);
});
