/** Fixtures of the tests by clause: bindings of every status, and everything that an endpoint of a dialect can be brought to say. */
import type { Binding } from '../../../src/core/bindings/binding.ts';
import type {
  BindingState,
  BindingUpdate,
  OutMessage,
  RejectReason,
  WireProfile,
} from '../../../src/wire/failover/messages.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { BINDING_STATES_ALL, PROFILES, ROLES } from '../../clauses/parties.ts';
import { address, CLIENT, FIRST, Rig, type RigOptions, WALL } from './rig.ts';

export const at = (time: number): EpochSec => time as EpochSec;
export const OLD: RejectReason = 'outdated-binding-information';
export const LESS: RejectReason = 'less-critical-binding-information';
/** Moment of the client's last word and of the start of the state, in `ours` and `theirs`. */
export const KNOWN = WALL - 100;

/** A lease that runs on, agreed with the partner, in whatever status. */
export function ours(state: BindingState, change: Partial<Binding> = {}): Partial<Binding> {
  return {
    address: address(FIRST),
    state,
    hardware: state === 'abandoned' ? undefined : CLIENT,
    leaseEndAt: at(WALL + 500),
    lastTransactionAt: at(KNOWN),
    stateSinceAt: at(KNOWN),
    told: true,
    ...change,
  };
}

export function theirs(state: BindingState, change: Partial<BindingUpdate> = {}): BindingUpdate {
  return {
    address: address(FIRST),
    state,
    hardware: state === 'abandoned' ? undefined : CLIENT,
    leaseEndAt: state === 'active' ? at(WALL + 600) : undefined,
    potentialEndAt: state === 'active' ? at(WALL + 900) : undefined,
    stateSinceAt: at(KNOWN),
    lastTransactionAt: at(KNOWN),
    ...change,
  };
}

/** In contact with a partner that changes nothing by itself, so that no gift is under way. */
export function calm(bindings: readonly Partial<Binding>[], options: RigOptions = {}): Rig {
  const rig = new Rig({ ...options, bindings, record: { state: 'communications-interrupted' } });
  rig.into('communications-interrupted').says('paused');
  return rig.quiet();
}

/** One binding of each status, with everything that a binding can have. */
export function everyBinding(): readonly Partial<Binding>[] {
  return BINDING_STATES_ALL.map((state, index) => ({
    address: address(FIRST + index),
    state,
    clientId: Uint8Array.of(1, 9, index),
    hardware: Uint8Array.of(1, 2, 2, 2, 2, 2, index),
    leaseEndAt: at(WALL + 500),
    sentPotentialAt: at(WALL + 900),
    ackedPotentialAt: at(WALL + 800),
    recvPotentialAt: at(WALL + 700),
    lastTransactionAt: at(WALL - 50),
    stateSinceAt: at(WALL - 50),
    hostName: Uint8Array.of(0x61),
    ipFlags: 0x8000,
    told: true,
    dirty: true,
  }));
}

/** Everything that an endpoint of a dialect can be brought to say, by both roles. */
function everything(profile: WireProfile): { rig: Rig; sent: OutMessage[] }[] {
  const full: RigOptions = { profile, bindings: everyBinding(), poolSize: 20 };
  const talks = ROLES.map((role) => {
    const rig = new Rig({ role, ...full }).into('normal');
    rig.told({ address: address(FIRST + 1), state: 'active' });
    rig.told({ address: address(9999), state: 'free' });
    rig.answerAll();
    rig.hear({ kind: 'poolreq' });
    rig.hear({ kind: 'updreqall' });
    rig.answerAll().waitInContact(70);
    for (const change of everyBinding()) rig.change(change);
    rig.answerAll();
    rig.wait(rig.limits.receiveTimerSec + 1);
    return rig;
  });
  const refusing = new Rig({ role: 'secondary', profile, record: { state: 'normal' } }).start();
  refusing.link({ relationshipName: 'other', tlsRequest: 0 });
  const lost = ROLES.map((role) => {
    const rig = new Rig({ role, profile, record: 'none', isLostStore: true }).start().link();
    rig.says('partner-down');
    return rig;
  });
  const conflict = ROLES.map((role) => {
    const rig = new Rig({ role, profile, record: { state: 'partner-down' } }).into('potential-conflict');
    rig.says('potential-conflict');
    if (role === 'secondary') rig.says('conflict-done');
    return rig;
  });
  return [...talks, refusing, ...lost, ...conflict].map((rig) => ({ rig, sent: rig.sent }));
}

export const SAID = new Map(PROFILES.map((profile) => [profile, everything(profile)]));
