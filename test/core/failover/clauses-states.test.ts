/** Specification 4.1 to 4.4, cell by cell, against the real endpoint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RelationshipRecord } from '../../../src/core/failover/endpoint-types.ts';
import type { ServerState } from '../../../src/wire/failover/messages.ts';
import { type EpochSec, INFINITE_AT, type Sec } from '../../../src/wire/units.ts';
import { ROLES, type ServerSide, STANDING_STATES, type StandingState } from '../../clauses/parties.ts';
import { PERMISSIONS } from '../../clauses/states.ts';
import { CELLS, type Cell, upper } from '../../clauses/transitions.ts';
import { SCOPE } from './pair.ts';
import {
  address,
  CLIENT,
  eventsOf,
  FIRST,
  isClosed,
  kindsOf,
  MCLT,
  OTHER_CLIENT,
  Rig,
  type RigOptions,
  sentOf,
  WALL,
} from './rig.ts';

const FAR = (WALL + 100_000) as EpochSec;
const DIRTY = address(FIRST + 3);

/** A kept record from which a state is reached, and one lease of ours that the partner has not acknowledged. */
function options(mine: StandingState, change: Partial<RelationshipRecord> = {}): RigOptions {
  const state = mine === 'potential-conflict' ? 'partner-down' : mine;
  const waits = mine === 'recover-wait' ? { recoverWaitUntilAt: FAR } : { partnerDownAt: WALL as EpochSec };
  const lease = {
    address: DIRTY,
    state: 'active',
    hardware: CLIENT,
    leaseEndAt: FAR,
    sentPotentialAt: FAR,
    lastTransactionAt: (WALL - 10) as EpochSec,
    stateSinceAt: (WALL - 10) as EpochSec,
    dirty: true,
  } as const;
  return { record: { state, stateSinceAt: (WALL - 1000) as EpochSec, ...waits, ...change }, bindings: [lease] };
}

function rolesOf({ mine, action }: Cell): readonly ServerSide[] {
  // Only the primary is ever in CONFLICT-DONE; and that of the partner means that it is the primary.
  if (mine === 'conflict-done') return ['primary'];
  return action === 'g' ? ['secondary'] : ROLES;
}

function tellsLease(rig: Rig): boolean {
  return rig.all('bndupd').some((message) => message.updates.some((update) => update.address === DIRTY));
}

for (const cell of CELLS) {
  const { mine, partner, next, action, id } = cell;
  test(`${upper(mine)} hears ${upper(partner)}: ${next === mine ? 'stays' : upper(next)} [${id}]`, () => {
    for (const role of rolesOf(cell)) {
      const rig = new Rig({ role, ...options(mine) }).into(mine);
      assert.equal(rig.state, mine, 'the state to begin with');
      rig.quiet();
      const effects = rig.says(partner);
      assert.equal(rig.state, next, role);
      assert.equal(rig.endpoint.record().state, next, role);
      assert.equal(rig.endpoint.record().partnerState, partner);
      if (next !== mine) {
        const saved = effects.findIndex((e) => e.kind === 'save-relationship' && e.record.state === next);
        const told = effects.findIndex(
          (e) => e.kind === 'send' && e.message.kind === 'state' && e.message.serverState === next,
        );
        assert.ok(saved >= 0 && told > saved, 'saved, then announced');
      }
      const asks = kindsOf(effects).filter((kind) => kind === 'updreq' || kind === 'updreqall');
      const mustAsk =
        action === 'a' || action === 'g' || (action === 'b' && (role === 'primary' || partner === 'conflict-done'));
      assert.deepEqual(asks, mustAsk ? ['updreq'] : [], `${role} asks`);
      if (next === 'normal' && mine !== 'normal') assert.ok(tellsLease(rig), 'what is unacknowledged is told');
      if (next !== 'normal') assert.ok(!tellsLease(rig) || partner === 'recover-wait' || partner === 'recover-done');
      assert.ok(!isClosed(effects), 'no transition of the table ends the connection');
    }
  });
}

test('RECOVER asks for everything after a lost store, for changes otherwise [4.4 action/a-all] [4.4 action/a-changes]', () => {
  const lost = new Rig({ record: 'none', isLostStore: true }).start().link();
  assert.ok(kindsOf(lost.says('communications-interrupted')).includes('updreqall'));
  const unknown = new Rig({ record: 'none' }).start().link();
  assert.ok(kindsOf(unknown.says('partner-down')).includes('updreqall'));
  const kept = new Rig(options('recover')).into('recover');
  const kinds = kindsOf(kept.says('partner-down'));
  assert.ok(kinds.includes('updreq') && !kinds.includes('updreqall'));
});

test('UPDDONE for our request ends RECOVER, one for another does not [4.4 action/a-done]', () => {
  const rig = new Rig(options('recover', { recoverWaitUntilAt: FAR })).into('recover');
  rig.says('partner-down');
  const xid = rig.last('updreq')!.xid;
  rig.hear({ kind: 'upddone', xid: xid + 1 });
  assert.equal(rig.state, 'recover');
  rig.hear({ kind: 'upddone', xid });
  assert.equal(rig.state, 'recover-wait');
});

test('entering POTENTIAL-CONFLICT the primary asks and the secondary waits [4.4 action/b]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role, ...options('potential-conflict') }).into('potential-conflict');
    assert.equal(rig.all('updreq').length, role === 'primary' ? 1 : 0, role);
  }
});

test('entering NORMAL everything unacknowledged is told, and the primary gives the secondary its share [4.4 action/c]', () => {
  const rig = new Rig(options('communications-interrupted')).into('communications-interrupted');
  rig.says('communications-interrupted');
  assert.equal(rig.state, 'normal');
  assert.ok(tellsLease(rig));
  const given = rig
    .all('bndupd')
    .flatMap((message) => message.updates)
    .filter((update) => update.state === 'backup');
  assert.equal(given.length, 4, 'half of seven free addresses, rounded');
});

test('entering NORMAL a secondary asks for addresses in the draft’s dialect only [4.4 action/c-poolreq]', () => {
  for (const profile of ['draft', 'isc', 'msft'] as const) {
    const rig = new Rig({ role: 'secondary', profile, owner: 'backup', ...options('communications-interrupted') });
    rig.into('communications-interrupted').quiet().says('communications-interrupted');
    assert.equal(rig.state, 'normal');
    assert.equal(rig.all('poolreq').length, profile === 'draft' ? 1 : 0, profile);
  }
});

test('PAUSED of the partner: COMMUNICATIONS-INTERRUPTED, and the safe period runs once it is gone [4.4 action/e]', () => {
  const rig = new Rig({ ...options('normal'), config: { autoPartnerDownSec: 100 as Sec } }).into('normal');
  rig.says('paused');
  assert.equal(rig.state, 'communications-interrupted');
  rig.step({ kind: 'disconnected', why: 'paused' });
  rig.wait(99);
  assert.equal(rig.state, 'communications-interrupted');
  rig.wait(1);
  assert.equal(rig.state, 'partner-down');
});

test('SHUTDOWN of the partner: PARTNER-DOWN in the same step, P is now [4.4 action/f]', () => {
  for (const mine of ['normal', 'communications-interrupted'] as const) {
    const rig = new Rig(options(mine)).into(mine);
    rig.says('shutdown');
    assert.equal(rig.state, 'partner-down', mine);
    assert.equal(rig.endpoint.record().partnerDownAt, rig.wallAt);
  }
});

test('the secondary asks when the primary is through, and its UPDDONE is NORMAL [4.4 action/g-secondary]', () => {
  const rig = new Rig({ role: 'secondary', ...options('potential-conflict') }).into('potential-conflict');
  rig.says('potential-conflict');
  assert.equal(rig.all('updreq').length, 0);
  rig.says('conflict-done');
  rig.hear({ kind: 'upddone', xid: rig.last('updreq')!.xid });
  assert.equal(rig.state, 'normal');
});

test('the primary’s UPDDONE is CONFLICT-DONE, and the secondary’s NORMAL ends that [4.4 action/g-primary]', () => {
  const rig = new Rig(options('potential-conflict')).into('potential-conflict');
  rig.hear({ kind: 'upddone', xid: rig.last('updreq')!.xid });
  assert.equal(rig.state, 'conflict-done');
  rig.says('potential-conflict');
  assert.equal(rig.state, 'conflict-done');
  rig.says('normal');
  assert.equal(rig.state, 'normal');
});

test('PARTNER-DOWN takes no transition on a flagged STATE [4.4 startup-flag/partner-down] [D 9.4.3 startup-flag]', () => {
  for (const partner of ['normal', 'recover-done', 'potential-conflict', 'partner-down'] as const) {
    const rig = new Rig(options('partner-down')).into('partner-down');
    rig.startupFlag(partner);
    assert.equal(rig.state, 'partner-down', partner);
    rig.says(partner);
    assert.notEqual(rig.state, 'partner-down', `${partner} without the flag`);
  }
});

for (const mine of ['resolution-interrupted', 'communications-interrupted'] as const)
  test(`${upper(mine)} waits for the STATE without the flag before a conflict [4.4 startup-flag/${mine}]`, () => {
    for (const partner of ['potential-conflict', 'resolution-interrupted'] as const) {
      const rig = new Rig(options(mine)).into(mine);
      rig.startupFlag(partner);
      assert.equal(rig.state, mine, partner);
      rig.says(partner);
      assert.equal(rig.state, 'potential-conflict', partner);
    }
  });

test('every other state treats a flagged STATE as any other [4.4 startup-flag/others]', () => {
  const heldBack: readonly StandingState[] = ['partner-down', 'resolution-interrupted', 'communications-interrupted'];
  for (const cell of CELLS) {
    if (heldBack.includes(cell.mine)) continue;
    for (const role of rolesOf(cell)) {
      const rig = new Rig({ role, ...options(cell.mine) }).into(cell.mine);
      rig.startupFlag(cell.partner as ServerState);
      assert.equal(rig.state, cell.next, `${cell.id} ${role}`);
    }
  }
});

const AFTER_LOSS: Partial<Record<StandingState, StandingState>> = {
  normal: 'communications-interrupted',
  'potential-conflict': 'resolution-interrupted',
};
for (const mine of ['normal', 'potential-conflict'] as const)
  test(`contact lost in ${upper(mine)}: ${upper(AFTER_LOSS[mine]!)} [4.4 event/comm-lost/${mine}]`, () => {
    for (const role of ROLES) {
      const rig = new Rig({ role, ...options(mine) }).into(mine);
      rig.step({ kind: 'disconnected', why: 'cut' });
      assert.equal(rig.state, AFTER_LOSS[mine]);
      assert.equal(rig.endpoint.record().stateSinceAt, rig.wallAt);
    }
  });

test('contact lost in any other state: it stays [4.4 event/comm-lost/others]', () => {
  for (const mine of STANDING_STATES) {
    if (AFTER_LOSS[mine] !== undefined) continue;
    const rig = new Rig(options(mine)).into(mine);
    // A state of the partner that every one of these stays at.
    rig.says(mine === 'resolution-interrupted' ? undefined : 'paused');
    rig.step({ kind: 'disconnected', why: 'cut' });
    assert.equal(rig.state, mine);
  }
});

test('after a loss it dials again, and sends what was unanswered anew with new xids [4.4 event/comm-lost/actions] [1.13 resent]', () => {
  const rig = new Rig(options('normal')).into('normal');
  assert.ok(tellsLease(rig));
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.quiet().wait(2);
  assert.ok(rig.effects.some((effect) => effect.kind === 'dial'));
  rig.link().says('communications-interrupted');
  assert.equal(rig.state, 'normal');
  assert.ok(tellsLease(rig), 'the same update again');
  assert.equal(rig.last('connect')?.xid, 1, 'xids begin anew');
});

test('updates unanswered for a minute though CONTACT flows: DISCONNECT 254 and COMMUNICATIONS-INTERRUPTED [4.4 event/no-bndack]', () => {
  const rig = new Rig(options('normal')).into('normal');
  rig.waitInContact(59);
  assert.equal(rig.state, 'normal');
  rig.waitInContact(2);
  assert.equal(rig.state, 'communications-interrupted');
  assert.equal(rig.last('disconnect')?.rejectReason, 'other');
});

test('partner-down by the operator, in every state [4.4 event/operator-partner-down] [4.3 no-outage/partner-down]', () => {
  for (const mine of STANDING_STATES) {
    const rig = new Rig(options(mine)).into(mine);
    const isTaken = mine === 'communications-interrupted' || mine === 'resolution-interrupted';
    const said = rig.command({ kind: 'partner-down' });
    assert.equal(said, isTaken ? 'done' : mine === 'partner-down' ? 'nothing-to-do' : 'refused', mine);
    assert.equal(rig.state, isTaken ? 'partner-down' : mine);
  }
  assert.equal(new Rig().start().command({ kind: 'partner-down' }), 'refused', 'in STARTUP');
});

test('the safe period ends in PARTNER-DOWN with an alarm, to the second [4.4 event/safe-period]', () => {
  const rig = new Rig({ ...options('normal'), config: { autoPartnerDownSec: 300 as Sec } }).into('normal');
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.quiet().wait(299);
  assert.equal(rig.state, 'communications-interrupted');
  rig.wait(1);
  assert.equal(rig.state, 'partner-down');
  assert.ok(eventsOf(rig.effects).includes('failover/auto-partner-down'));
});

test('without a configured safe period there is no automatic PARTNER-DOWN [4.2 timers/safe-period]', () => {
  const rig = new Rig(options('normal')).into('normal');
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.wait(20_000);
  assert.equal(rig.state, 'communications-interrupted');
  for (const mine of ['resolution-interrupted', 'recover', 'recover-wait'] as const) {
    const other = new Rig({ ...options(mine), config: { autoPartnerDownSec: 10 as Sec } }).into(mine);
    other.step({ kind: 'disconnected', why: 'cut' });
    other.wait(1000);
    assert.equal(other.state, mine, 'it runs in COMMUNICATIONS-INTERRUPTED only');
  }
});

test('contact within the safe period ends it, and it begins anew after the next loss [4.4 event/safe-period-cancelled]', () => {
  const rig = new Rig({ ...options('normal'), config: { autoPartnerDownSec: 100 as Sec } }).into('normal');
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.wait(90);
  rig.link().says('communications-interrupted');
  assert.equal(rig.state, 'normal');
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.wait(99);
  assert.equal(rig.state, 'communications-interrupted');
  rig.wait(1);
  assert.equal(rig.state, 'partner-down');
});

test('after UPDDONE it waits out MCLT and the allowance from the failure; who never gave a lease does not [4.4 event/upddone]', () => {
  const lost = new Rig({ record: 'none', isLostStore: true }).start().link();
  lost.says('partner-down');
  lost.hear({ kind: 'upddone', xid: lost.last('updreqall')!.xid });
  assert.equal(lost.state, 'recover-wait');
  assert.equal(lost.endpoint.record().recoverWaitUntilAt, WALL + MCLT + lost.limits.skewAllowanceSec);
  const fresh = new Rig({ record: 'none' }).start().link();
  fresh.says('partner-down');
  fresh.hear({ kind: 'upddone', xid: fresh.last('updreqall')!.xid });
  assert.equal(fresh.state, 'recover-done');
});

test('no UPDDONE for a minute: RECOVER stays and the connection is made anew; a BNDUPD counts as progress [4.4 event/no-upddone]', () => {
  const rig = new Rig(options('recover')).into('recover');
  rig.says('partner-down');
  rig.waitInContact(40);
  rig.told({ state: 'free' });
  rig.waitInContact(40);
  assert.equal(rig.last('disconnect'), undefined, 'the update was progress');
  rig.waitInContact(30);
  assert.equal(rig.last('disconnect')?.rejectReason, 'other');
  assert.equal(rig.state, 'recover');
  rig.quiet().wait(30);
  assert.ok(rig.effects.some((effect) => effect.kind === 'dial'));
});

for (const isConnected of [true, false])
  test(`RECOVER-WAIT ends at its second ${isConnected ? 'with' : 'without'} contact [4.4 event/recover-wait-over]`, () => {
    const rig = new Rig(options('recover-wait', { recoverWaitUntilAt: (WALL + 200) as EpochSec })).into('recover-wait');
    rig.says('partner-down');
    if (!isConnected) rig.step({ kind: 'disconnected', why: 'cut' });
    const left = WALL + 200 - rig.wallAt;
    if (isConnected) rig.waitInContact(left - 1);
    else rig.wait(left - 1);
    assert.equal(rig.state, 'recover-wait');
    if (isConnected) rig.waitInContact(1);
    else rig.wait(1);
    assert.equal(rig.state, 'recover-done');
  });

test('pause: PAUSED is announced, NORMAL kept, the connection closed [4.4 event/pause] [D 9.13 previous]', () => {
  const rig = new Rig(options('normal')).into('normal');
  const effects = rig.quiet().step({ kind: 'command', command: { kind: 'pause' } });
  const states = sentOf(effects).flatMap((message) => (message.kind === 'state' ? [message.serverState] : []));
  assert.deepEqual(states, ['paused']);
  assert.ok(isClosed(effects));
  assert.equal(rig.state, 'paused');
  assert.equal(rig.endpoint.record().state, 'normal');
  rig.wait(1000);
  assert.ok(!rig.effects.some((effect) => effect.kind === 'dial'), 'nothing is dialled while paused');
  assert.equal(rig.command({ kind: 'resume' }), 'done');
  assert.equal(rig.state, 'startup');
});

test('shutdown: SHUTDOWN is announced and the last moment of operation noted, then the end [4.4 event/shutdown] [D 9.14.1 last-operational]', () => {
  const rig = new Rig(options('normal')).into('normal');
  rig.waitInContact(7);
  const effects = rig.quiet().step({ kind: 'command', command: { kind: 'shutdown' } });
  const saved = effects.findIndex(
    (effect) => effect.kind === 'save-relationship' && effect.record.lastOperationalAt === rig.wallAt,
  );
  const told = effects.findIndex(
    (e) => e.kind === 'send' && e.message.kind === 'state' && e.message.serverState === 'shutdown',
  );
  assert.ok(saved >= 0 && told > saved);
  assert.equal(rig.endpoint.record().state, 'normal');
  // The partner has a moment to go to PARTNER-DOWN.
  rig.quiet().wait(5);
  assert.ok(rig.effects.some((effect) => effect.kind === 'close'));
  assert.equal(rig.endpoint.record().state, 'normal');
});

/* 4.1 */

function inState(state: ServerState, role: ServerSide = 'primary'): Rig {
  if (state === 'startup') return new Rig({ role, ...options('normal') }).start();
  if (state === 'paused' || state === 'shutdown') {
    const rig = new Rig({ role, ...options('normal') }).into('normal');
    rig.command({ kind: state === 'paused' ? 'pause' : 'shutdown' });
    return rig;
  }
  const rig = new Rig({ role, ...options(state) }).into(state);
  if (state === 'conflict-done' || state === 'communications-interrupted') rig.says('paused');
  return rig;
}

const ASK = { scopeId: SCOPE, secs: 0, unansweredMs: 0 };
for (const [state, permission] of Object.entries(PERMISSIONS) as [ServerState, (typeof PERMISSIONS)['normal']][]) {
  const name = upper(state);
  test(`${name} serves ${permission.serves} [4.1 ${state}/serves]`, () => {
    for (const role of state === 'conflict-done' ? (['primary'] as const) : ROLES) {
      const rig = inState(state, role);
      assert.equal(rig.state, state);
      assert.equal(rig.endpoint.rights.service(rig.now, SCOPE).serves, permission.serves, role);
    }
  });

  test(`${name}: a new client may get ${permission.allocates} [4.1 ${state}/allocates]`, () => {
    for (const role of state === 'conflict-done' ? (['primary'] as const) : ROLES) {
      const rig = inState(state, role);
      const [own, partners] = role === 'primary' ? (['free', 'backup'] as const) : (['backup', 'free'] as const);
      const may = (kind: 'free' | 'backup'): boolean =>
        rig.endpoint.rights.mayAllocate(rig.now, { ...rig.find(FIRST + 1), state: kind });
      assert.equal(may(own), permission.allocates !== 'nothing', `${role}: own`);
      assert.equal(may(partners), false, `${role}: the partner’s at first`);
      rig.wait(MCLT + rig.limits.skewAllowanceSec);
      if (state === 'partner-down') assert.equal(may(partners), true, `${role}: the partner’s after the wait`);
      else if (rig.state === state) assert.equal(may(partners), false, `${role}: never the partner’s`);
    }
  });

  if (permission.serves === 'all')
    test(`${name}: ${permission.isBalanced ? 'answers by hash' : 'no balancing'} [4.1 ${state}/balancing]`, () => {
      const rig = inState(state);
      const answered = Array.from({ length: 256 }, (_, bucket) => bucket).filter(
        (bucket) => rig.endpoint.rights.answers(rig.now, { ...ASK, bucket }).yes,
      );
      // In NORMAL the partner must have addresses for the hash to count.
      if (permission.isBalanced) {
        rig.answer();
        assert.equal(rig.table.counts(SCOPE).backup > 0, true);
      }
      assert.equal(answered.length, permission.isBalanced ? 128 : 256);
    });

  if (permission.isBounded)
    test(`${name}: lease times are bounded by what the partner knows, and MCLT [4.1 ${state}/bound]`, () => {
      const rig = inState(state);
      const { rights } = rig.endpoint;
      const binding = { ...rig.find(), state: 'active' as const, ackedPotentialAt: (rig.wallAt + 100) as EpochSec };
      assert.equal(rights.grantSec(rig.now, 5000 as Sec, undefined), MCLT);
      assert.equal(rights.grantSec(rig.now, 5000 as Sec, binding), 100 + MCLT);
      assert.equal(rights.grantSec(rig.now, 10 as Sec, binding), 10);
      assert.equal(rights.grantSec(rig.now, 5000 as Sec, { ...binding, recvPotentialAt: INFINITE_AT }), 5000);
    });
}

/* 4.2 */

test('a change of state is saved first, then announced, then acted on [4.2 durable-first] [4.2 announced] [D 9.2 recorded]', () => {
  const rig = new Rig(options('recover')).into('recover');
  const effects = rig.says('potential-conflict');
  const kinds = effects.map((e) => (e.kind === 'send' ? e.message.kind : e.kind)).filter((kind) => kind !== 'event');
  assert.deepEqual(kinds.slice(0, 3), ['save-relationship', 'state', 'updreq']);
});

test('the partner’s state, flag and time are kept [4.2 partner-kept]', () => {
  const rig = new Rig(options('partner-down')).into('partner-down');
  const effects = rig.startupFlag('recover');
  const record = rig.endpoint.record();
  assert.deepEqual([record.partnerState, record.partnerFlags, record.partnerStateAt], ['recover', 1, rig.wallAt]);
  assert.ok(effects.some((effect) => effect.kind === 'save-relationship' && effect.record.partnerState === 'recover'));
});

test('each change of the partner’s state on one connection is applied to the present state [4.2 change-while-connected]', () => {
  const rig = new Rig(options('normal')).into('normal');
  const steps = [
    ['recover', 'communications-interrupted'],
    ['recover-wait', 'communications-interrupted'],
    ['recover-done', 'normal'],
    ['normal', 'normal'],
    ['communications-interrupted', 'normal'],
    ['partner-down', 'potential-conflict'],
  ] as const;
  for (const [partner, mine] of steps) {
    rig.nowMs += 1000;
    assert.ok(!isClosed(rig.says(partner)));
    assert.equal(rig.state, mine, `after ${partner}`);
  }
});

test('a request cut off is made again on the next connection [4.2 redo-after-cut]', () => {
  for (const [mine, partner] of [
    ['recover', 'partner-down'],
    ['potential-conflict', 'potential-conflict'],
  ] as const) {
    const rig = new Rig(options(mine)).into(mine);
    rig.says(partner);
    assert.equal(rig.all('updreq').length, 1);
    rig.step({ kind: 'disconnected', why: 'cut' });
    rig.quiet().link().says(partner);
    assert.equal(rig.state, mine);
    assert.equal(rig.all('updreq').length, 1, `${mine} asks again`);
  }
});

test('RECOVER-WAIT goes on over a restart to the same second [4.2 timers/recover-wait]', () => {
  const until = (WALL + 200) as EpochSec;
  const rig = new Rig(options('recover-wait', { recoverWaitUntilAt: until })).start();
  rig.wait(WALL + 199 - rig.wallAt);
  assert.equal(rig.endpoint.rights.service(rig.now, SCOPE).serves, 'none');
  assert.notEqual(rig.state, 'recover-done');
  rig.wait(1);
  assert.equal(rig.state, 'recover-done');
});

/* 4.3 */

test('what was kept is what it comes back to [4.3 step-1] [4.3 step-6]', () => {
  for (const mine of STANDING_STATES) {
    if (AFTER_LOSS[mine] !== undefined) continue;
    const rig = new Rig(options(mine)).start();
    assert.equal(rig.state, 'startup');
    rig.wait(rig.limits.startupWaitSec - 1);
    assert.equal(rig.state, 'startup');
    rig.wait(1);
    assert.equal(rig.state, mine);
  }
});

test('nothing kept: RECOVER; only a lost store waits, from the process’s start [4.3 step-1-none]', () => {
  const fresh = new Rig({ record: 'none' }).start();
  assert.equal(fresh.endpoint.record().state, 'recover');
  assert.equal(fresh.endpoint.record().recoverWaitUntilAt, 0);
  const lost = new Rig({ record: 'none', isLostStore: true }).start();
  assert.equal(lost.endpoint.record().state, 'recover');
  assert.equal(lost.endpoint.record().recoverWaitUntilAt, WALL + MCLT + 5);
});

test('a record in a passing state counts as none [4.3 step-1-passing]', () => {
  for (const state of ['paused', 'shutdown', 'startup'] as const)
    assert.equal(new Rig({ record: { state } }).start().endpoint.record().state, 'recover', state);
});

for (const [mine, image] of Object.entries(AFTER_LOSS) as [StandingState, StandingState][])
  test(`kept ${upper(mine)} comes back as ${upper(image)} [4.3 step-2/${mine}]`, () => {
    const rig = new Rig({ record: { state: mine } }).start().wait(DEFAULT_STARTUP);
    assert.equal(rig.state, image);
    assert.equal(rig.endpoint.record().state, image);
  });
const DEFAULT_STARTUP = 10;

test('the startup timer is 10 s, 30 s after a stop longer than MCLT; toward foreign partners 15 and 60 [4.3 step-3]', () => {
  for (const [profile, downSec, waitSec] of [
    ['twinlease', MCLT - 1, 10],
    ['twinlease', MCLT + 1, 30],
    ['isc', MCLT - 1, 15],
    ['msft', MCLT + 1, 60],
  ] as const) {
    const rig = new Rig({ profile, record: { lastOperationalAt: (WALL - downSec) as EpochSec } }).start();
    rig.wait(waitSec - 1);
    assert.equal(rig.state, 'startup', `${profile} after ${downSec} s`);
    rig.wait(1);
    assert.notEqual(rig.state, 'startup', `${profile} after ${downSec} s`);
  }
});

test('in STARTUP the STATE has the state to come back to and the flag, afterwards no flag [4.3 step-4] [D 9.3.1 startup-state] [D 12.23 startup-bit]', () => {
  const rig = new Rig({ role: 'secondary', record: { state: 'normal' } }).start().link();
  const [first] = rig.all('state');
  // Step 2: NORMAL as the loss of contact leaves it.
  assert.deepEqual([first?.serverState, first?.serverFlags], ['communications-interrupted', 1]);
  rig.says('communications-interrupted');
  assert.deepEqual([rig.last('state')?.serverState, rig.last('state')?.serverFlags], ['normal', 0]);
});

test('the partner’s STATE ends STARTUP at once [4.3 step-5]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role, record: { state: 'communications-interrupted' } }).start().link();
    assert.equal(rig.state, 'startup');
    rig.says('communications-interrupted');
    assert.equal(rig.state, 'normal');
  }
});

test('a partner in PARTNER-DOWN since after our last operation: RECOVER with the wait from that moment [4.3 step-5/partner-down-later] [D 9.6.2 timer]', () => {
  for (const state of ['normal', 'communications-interrupted', 'potential-conflict'] as const) {
    const lastOperationalAt = (WALL - 30) as EpochSec;
    const rig = new Rig({ record: { state, lastOperationalAt } }).start().link();
    rig.says('partner-down', 0, WALL - 20);
    assert.equal(rig.state, 'recover', state);
    // Saved every 10 s, so the last moment may have been that much later.
    assert.equal(rig.endpoint.record().recoverWaitUntilAt, WALL - 30 + 10 + MCLT + 5);
  }
});

test('a partner in PARTNER-DOWN since before our last operation: POTENTIAL-CONFLICT [4.3 step-5/partner-down-earlier]', () => {
  for (const state of ['normal', 'communications-interrupted', 'partner-down'] as const) {
    const rig = new Rig({ record: { state, lastOperationalAt: (WALL - 10) as EpochSec } }).start().link();
    rig.says('partner-down', 0, WALL - 20);
    assert.equal(rig.state, 'potential-conflict', state);
  }
});

test('the last moment of operation is saved every 10 s while serving, not while silent [4.3 last-operational]', () => {
  const rig = new Rig(options('communications-interrupted')).into('communications-interrupted');
  rig.says('paused');
  for (let i = 0; i < 5; i++) {
    rig.waitInContact(10);
    assert.ok(rig.wallAt - rig.endpoint.record().lastOperationalAt <= 10);
  }
  const silent = new Rig(options('recover')).into('recover');
  const before = silent.endpoint.record().lastOperationalAt;
  silent.waitInContact(30);
  assert.equal(silent.endpoint.record().lastOperationalAt, before);
});

test('a message while silent changes no binding and no record [4.1 nothing-remembered]', () => {
  for (const state of Object.keys(PERMISSIONS) as ServerState[]) {
    if (PERMISSIONS[state].serves !== 'none') continue;
    const rig = inState(state);
    const before = JSON.stringify([rig.endpoint.record(), rig.find(FIRST + 3)]);
    rig.endpoint.rights.service(rig.now, SCOPE);
    rig.endpoint.rights.mayAllocate(rig.now, { ...rig.find(), hardware: OTHER_CLIENT });
    rig.endpoint.rights.grantSec(rig.now, 100 as Sec, rig.find());
    assert.equal(JSON.stringify([rig.endpoint.record(), rig.find(FIRST + 3)]), before, state);
  }
});
