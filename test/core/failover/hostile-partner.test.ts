/**
 * A partner that says anything at any time, in each dialect: nothing throws, no timer spins, every message can be written, the order
 * "save before send" holds, every update has one answer, and dhcpd never hears what would end it (specification 2.14, 6.3, 7).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Effect, RelationshipRecord } from '../../../src/core/failover/endpoint-types.ts';
import { AFTER_CONTACT_LOST, isKept, type KeptState } from '../../../src/core/failover/states.ts';
import { encodeMessage } from '../../../src/wire/failover/codec.ts';
import {
  BINDING_STATES,
  type BindingState,
  type FailoverMessage,
  type OutMessage,
  REJECT_REASONS,
  SERVER_STATES,
  type ServerState,
} from '../../../src/wire/failover/messages.ts';
import { type EpochSec, INFINITE_AT } from '../../../src/wire/units.ts';
import { address, CLIENT, FIRST, OTHER_CLIENT, Rig, WALL } from './rig.ts';

const POOL = 8;
const RUNS = 300;
const STATES = Object.keys(SERVER_STATES) as ServerState[];
const KEPT = STATES.filter(isKept);
/** What dhcpd in a state must not hear: it would exit, go to SHUTDOWN for good, into a conflict, or on alone without leases (2.5). */
const UNBEARABLE: Readonly<Partial<Record<ServerState, readonly ServerState[]>>> = {
  normal: ['potential-conflict', 'resolution-interrupted', 'conflict-done'],
  recover: ['normal', 'shutdown'],
  'potential-conflict': ['normal', 'shutdown'],
  'conflict-done': STATES.filter(
    (state) => !['potential-conflict', 'resolution-interrupted', 'normal'].includes(state),
  ),
};

const at = fc.oneof(
  fc.integer({ min: -600, max: 600 }),
  fc.constant('never' as const),
  fc.constant('infinite' as const),
);
const update = fc.record({
  offset: fc.integer({ min: FIRST - 2, max: FIRST + POOL + 1 }),
  state: fc.constantFrom(...(Object.keys(BINDING_STATES) as BindingState[])),
  client: fc.constantFrom(CLIENT, OTHER_CLIENT, undefined, Uint8Array.of(0)),
  leaseEnd: at,
  potentialEnd: at,
  since: at,
  transaction: at,
  ipFlags: fc.constantFrom(undefined, 1, 2, 3),
});
const move = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('says' as const),
      state: fc.constantFrom(...STATES),
      flags: fc.constantFrom(0, 0, 1, 255),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      updates: fc.array(update, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      reason: fc.constantFrom(
        undefined,
        undefined,
        ...(Object.keys(REJECT_REASONS) as (keyof typeof REJECT_REASONS)[]),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('lease' as const),
      offset: fc.integer({ min: FIRST, max: FIRST + POOL - 1 }),
      sec: fc.integer({ min: 1, max: 300 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), sec: fc.integer({ min: 0, max: 400 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'link' as const }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('meets' as const),
      state: fc.constantFrom(...STATES),
      flags: fc.constantFrom(0, 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('connected' as const), dialled: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'lost' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('bare' as const),
      what: fc.constantFrom('updreq', 'updreqall', 'upddone', 'poolreq', 'contact', 'disconnect', 'poolresp'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('garbled-connect' as const),
      mcltSec: fc.constantFrom(undefined, 0, 1, 0xffffffff),
      maxUnacked: fc.constantFrom(undefined, 0, 1, 0xffffffff),
      receiveTimerSec: fc.constantFrom(undefined, 0, 1, 0xffffffff),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('command' as const),
      what: fc.constantFrom('partner-down', 'shutdown', 'pause', 'resume', 'resume', 'recover-all'),
    }),
  },
);
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

function time(offset: number | 'never' | 'infinite', now: EpochSec): EpochSec | undefined {
  if (offset === 'never') return undefined;
  return offset === 'infinite' ? INFINITE_AT : ((now + offset) as EpochSec);
}

/** What the partner heard and said on the present connection, and what is durable. */
class Watch {
  saved: RelationshipRecord;
  heard: ServerState | undefined;
  isFirst = true;
  readonly rig: Rig;

  constructor(rig: Rig) {
    this.rig = rig;
    this.saved = rig.endpoint.record();
  }

  look(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'save-relationship') this.saved = effect.record;
      if (effect.kind === 'close') this.fresh();
      if (effect.kind === 'send' || effect.kind === 'send-now') this.#sent(effect.message);
    }
  }

  /** Of two servers it is the primary alone that comes to CONFLICT-DONE. */
  #isBearable(told: ServerState): boolean {
    if (this.heard === undefined || (this.heard === 'conflict-done' && this.rig.role === 'primary')) return true;
    return UNBEARABLE[this.heard]?.includes(told) !== true;
  }

  fresh(): void {
    this.heard = undefined;
    this.isFirst = true;
  }

  #sent(message: OutMessage): void {
    const { profile } = this.rig;
    encodeMessage({ ...message, sentAt: WALL as EpochSec } as FailoverMessage, profile);
    if (message.kind !== 'state') return;
    const { serverState: told } = message;
    const isDurable =
      told === undefined ||
      !isKept(told) ||
      [told, before(told)].includes(this.saved.state as KeptState) ||
      isHidden(told, this.saved);
    assert.ok(isDurable, `${told} is told while ${this.saved.state} is durable`);
    if (profile === 'isc' && told !== undefined)
      assert.ok(this.#isBearable(told), `dhcpd in ${this.heard} hears ${told}`);
    if (profile === 'isc' && this.isFirst) assert.notEqual(told, 'normal', 'the first STATE of a connection');
    if (profile === 'msft') assert.ok(told !== 'paused' && told !== 'shutdown');
    this.isFirst = false;
  }
}

/** In STARTUP the state that the loss of contact makes of the durable one is told. */
function before(told: KeptState): KeptState | undefined {
  return (Object.keys(AFTER_CONTACT_LOST) as KeptState[]).find((state) => AFTER_CONTACT_LOST[state] === told);
}

function isHidden(told: ServerState, saved: RelationshipRecord): boolean {
  return told === 'recover' && saved.state === 'recover-wait';
}

function play(rig: Rig, watch: Watch, one: Move): readonly Effect[] {
  switch (one.kind) {
    case 'says':
      if (rig.endpoint.status(rig.now).isConnected) watch.heard = one.state;
      return rig.says(one.state, one.flags);
    case 'update': {
      const updates = one.updates.map((u) => ({
        address: address(u.offset),
        state: u.state,
        hardware: u.client,
        leaseEndAt: time(u.leaseEnd, rig.wallAt),
        potentialEndAt: time(u.potentialEnd, rig.wallAt),
        stateSinceAt: time(u.since, rig.wallAt),
        lastTransactionAt: time(u.transaction, rig.wallAt),
        ipFlags: u.ipFlags,
      }));
      const effects = rig.hear({ kind: 'bndupd', xid: 77, updates });
      const answers = effects.filter((effect) => effect.kind === 'send' && effect.message.kind === 'bndack');
      const isHeard = rig.endpoint.status(rig.now).isConnected;
      if (isHeard) assert.equal(answers.length, 1, 'one answer for one update');
      return effects;
    }
    case 'answer':
      return rig.unanswered.length === 0 ? [] : rig.answer(one.reason);
    case 'lease': {
      const mine = rig.find(one.offset);
      return mine.state === 'free' || mine.state === 'backup' || mine.state === 'active'
        ? rig.lease(one.offset, CLIENT, one.sec)
        : [];
    }
    case 'wait': {
      const from = rig.effects.length;
      rig.wait(one.sec);
      return rig.effects.slice(from);
    }
    case 'link': {
      const from = rig.effects.length;
      watch.fresh();
      rig.link();
      return rig.effects.slice(from);
    }
    case 'meets': {
      const from = rig.effects.length;
      watch.fresh();
      rig.link();
      watch.look(rig.effects.slice(from));
      return play(rig, watch, { ...one, kind: 'says' });
    }
    case 'connected':
      watch.fresh();
      return rig.step({ kind: 'connected', dialled: one.dialled });
    case 'lost':
      watch.fresh();
      return rig.step({ kind: 'disconnected', why: 'reset' });
    case 'bare':
      if (one.what === 'upddone') return rig.hear({ kind: 'upddone', xid: rig.asked });
      return rig.hear({ kind: one.what as 'updreq', ...(one.what === 'disconnect' ? { rejectReason: 'other' } : {}) });
    case 'garbled-connect':
      return rig.hear({
        kind: rig.role === 'primary' ? 'connectack' : 'connect',
        relationshipName: 'pair',
        protocolVersion: 1,
        hashBuckets: new Uint8Array(32),
        xid: rig.last('connect')?.xid ?? 0,
        mcltSec: one.mcltSec,
        maxUnacked: one.maxUnacked,
        receiveTimerSec: one.receiveTimerSec,
      });
    case 'command':
      return rig.step({ kind: 'command', command: { kind: one.what as 'resume' } });
    default:
      return one satisfies never;
  }
}

for (const profile of ['twinlease', 'draft', 'isc', 'msft'] as const)
  for (const role of ['primary', 'secondary'] as const)
    test(`whatever the partner says: ${role} toward ${profile}`, () => {
      const property = fc.property(fc.constantFrom(...KEPT), fc.array(move, { maxLength: 40 }), (state, moves) => {
        const rig = new Rig({ role, profile, poolSize: POOL, record: { state } });
        const watch = new Watch(rig);
        watch.look(rig.step({ kind: 'start' }));
        for (const one of moves) watch.look(play(rig, watch, one));
        assert.ok(rig.unanswered.length <= 1000);
      });
      fc.assert(property, { numRuns: RUNS });
    });
