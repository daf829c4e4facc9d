/** What taking scopes out of a relationship must not forget: who can keep them, and what a lost store left to be waited for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Binding, emptyBinding } from '../../../src/core/bindings/binding.ts';
import { makeBindingTable } from '../../../src/core/bindings/table.ts';
import { heldAfterLoss, heldUntil, lackOfKeeper, lackOfLeaving } from '../../../src/core/change/removal.ts';
import type { EndpointStatus } from '../../../src/core/failover/endpoint-types.ts';
import { endDeclines } from '../../../src/core/serving/decline.ts';
import { STANDALONE_RIGHTS } from '../../../src/core/serving/standalone-rights.ts';
import { type EpochSec, ip4, type MonoMs, NEVER_AT, type Now, type Sec } from '../../../src/wire/units.ts';

const SCOPE = ip4(0x0a000100);
const OTHER = ip4(0x0a000200);
const ADDRESS = ip4(0x0a000114);
const NOW: Now = { monoMs: 0 as MonoMs, wallAt: 1_700_000_000 as EpochSec };
const HOLD_SEC = 600;
const SOUND: EndpointStatus = {
  name: 'rel1',
  state: 'normal',
  stateSinceAt: NEVER_AT,
  partnerState: 'normal',
  partnerStateAt: NEVER_AT,
  isConnected: true,
  isCommunicating: true,
  skewSec: 0,
  unackedUpdates: 0,
  dirtyBindings: 0,
  partnerDownAt: NEVER_AT,
  recoverWaitUntilAt: NEVER_AT,
  autoPartnerDownAt: NEVER_AT,
  silentScopeIds: [],
  lastReject: undefined,
  allowanceSec: 5 as Sec,
};

function after(sec: number): EpochSec {
  return (NOW.wallAt + sec) as EpochSec;
}

test('a server keeps scopes when it has fetched their leases and waits for none of its own', () => {
  const cases: readonly [Partial<EndpointStatus>, unknown][] = [
    [{}, undefined],
    [{ state: 'partner-down' }, undefined],
    [{ state: 'recover-done', recoverWaitUntilAt: NOW.wallAt }, undefined],
    [{ loss: { at: after(-1), waitMcltSec: 60 as Sec } }, undefined],
    [{ silentScopeIds: [OTHER] }, undefined],
    [{ silentScopeIds: [SCOPE] }, { kind: 'unfetched' }],
    [{ state: 'recover' }, { kind: 'unfetched' }],
    [{ state: 'potential-conflict', lacks: 'everything' }, { kind: 'unfetched' }],
    [
      { state: 'recover-wait', recoverWaitUntilAt: after(1) },
      { kind: 'forgotten', untilAt: after(1) },
    ],
    [
      { state: 'normal', recoverWaitUntilAt: after(1) },
      { kind: 'forgotten', untilAt: after(1) },
    ],
  ];
  for (const [more, lack] of cases)
    assert.deepEqual(lackOfKeeper({ ...SOUND, ...more }, [SCOPE], NOW), lack, JSON.stringify(more));
});

test('a server that leaves must have told all that it granted, which one without its store cannot', () => {
  const loss = { at: after(-100), waitMcltSec: 200 as Sec };
  const waiting = { recoverWaitUntilAt: after(90) };
  const cases: readonly [Partial<EndpointStatus>, unknown][] = [
    [{}, undefined],
    [{ state: 'recover', lacks: 'everything' }, undefined],
    [{ state: 'recover-wait', ...waiting }, undefined],
    [{ loss }, undefined],
    [{ loss, lacks: 'everything' }, { kind: 'unfetched' }],
    [{ loss, lacks: 'changes' }, undefined],
    [
      { loss, ...waiting },
      { kind: 'forgotten', untilAt: after(90) },
    ],
    [{ loss: { ...loss, at: after(-205) }, ...waiting }, undefined],
  ];
  for (const [more, lack] of cases)
    assert.deepEqual(lackOfLeaving({ ...SOUND, ...more }, NOW), lack, JSON.stringify(more));
});

const someBinding = fc
  .record({
    state: fc.constantFrom('free', 'backup', 'active', 'expired', 'released', 'abandoned', 'reset'),
    leaseEndAt: fc.integer({ min: -3000, max: 3000 }),
    recvPotentialAt: fc.integer({ min: -3000, max: 3000 }),
    lastTransactionAt: fc.integer({ min: -3000, max: 0 }),
    stateSinceAt: fc.integer({ min: -3000, max: 0 }),
  })
  .map(({ state, ...times }): Binding => {
    const moments = Object.fromEntries(Object.entries(times).map(([name, sec]) => [name, after(sec)]));
    return { ...emptyBinding(ADDRESS, 'free'), ...moments, state: state as Binding['state'] };
  });

/** As a scope without relationship treats the address: nobody else gets it while it is leased or set aside. */
function freeFrom(binding: Binding): number {
  if (binding.state === 'active') return binding.leaseEndAt;
  if (binding.state === 'abandoned') return binding.stateSinceAt + HOLD_SEC;
  return NEVER_AT;
}

test('what is held goes to no other client before its time, and is never freed earlier than it would have been', () => {
  fc.assert(
    fc.property(someBinding, fc.integer({ min: -100, max: 5000 }), (binding, sec) => {
      const untilAt = after(sec);
      const held = heldUntil(binding, untilAt, NOW, HOLD_SEC) ?? binding;
      if (binding.state === 'free' || binding.state === 'backup') assert.equal(held, binding);
      else if (untilAt > NOW.wallAt) assert.ok(freeFrom(held) >= untilAt, JSON.stringify(held));
      assert.ok(freeFrom(held) >= freeFrom(binding));
    }),
  );
});

test('after a loss only leases of before it are held, for MCLT and the allowance beyond the greatest promise', () => {
  const status = { ...SOUND, loss: { at: after(-100), waitMcltSec: 600 as Sec } };
  fc.assert(
    fc.property(someBinding, (binding) => {
      const held = heldAfterLoss(binding, status, NOW, HOLD_SEC) ?? binding;
      if (binding.lastTransactionAt > status.loss.at) assert.equal(held, binding);
      else if (binding.state === 'active') {
        const promisedAt = Math.max(status.loss.at, binding.leaseEndAt, binding.recvPotentialAt);
        assert.equal(held.leaseEndAt, Math.max(promisedAt + 605, binding.leaseEndAt));
      }
      assert.equal(heldAfterLoss(binding, SOUND, NOW, HOLD_SEC), undefined);
    }),
  );
});

test('an address that is held aside comes back when its wait is over, and not before', () => {
  const table = makeBindingTable(1);
  table.setPool(
    { scopeId: SCOPE, prefixLength: 24, firstAddress: ADDRESS, lastAddress: ADDRESS, exclusions: [], reserved: [] },
    'free',
  );
  const aside: Binding = { ...emptyBinding(ADDRESS, 'free'), state: 'reset', stateSinceAt: after(-10) };
  table.change(heldUntil(aside, after(1000), NOW, HOLD_SEC)!);
  const sweep = { scopeId: SCOPE, from: SCOPE, limit: 10, declineHoldSec: HOLD_SEC };
  const at = (sec: number): Now => ({ ...NOW, wallAt: after(sec) });
  assert.deepEqual(endDeclines(at(999), table, STANDALONE_RIGHTS, sweep).changed, []);
  assert.deepEqual(endDeclines(at(1000), table, STANDALONE_RIGHTS, sweep).changed, [ADDRESS]);
});
