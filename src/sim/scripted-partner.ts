/**
 * The production endpoint against a partner that says whatever the script wants: the only way to the cells of specification 4.4 that
 * two servers of our own kind do not come to (`WHY_SCRIPTED` of `cells.ts`), and to what only Windows is asked for. One endpoint, one
 * handshake, one or two STATEs; no world around it.
 */
import type { AvailableState, BindingTable } from '../core/bindings/binding.ts';
import { makeBindingTable } from '../core/bindings/table.ts';
import { initialRecord, limitsOf, makeEndpoint } from '../core/failover/endpoint.ts';
import type { Effect, Endpoint, EndpointConfig } from '../core/failover/endpoint-types.ts';
import type { FailoverMessage, ServerState, WireProfile } from '../wire/failover/messages.ts';
import type { EpochSec, Ip4, MonoMs, Now, Sec } from '../wire/units.ts';
import {
  BINDING_CELLS,
  nextState,
  OWN_STATES,
  type OwnState,
  TOLD_STATES,
  type ToldState,
  tableCell,
} from './cells.ts';

const SCOPE = (10 * 2 ** 24) as Ip4;
const NOW_AT = 2_200_000_000;
const NOW: Now = { monoMs: 1_000_000 as MonoMs, wallAt: NOW_AT as EpochSec };
/** Before this server last served, so that the partner has not gone on alone. */
const LONG_AGO = (NOW_AT - 5000) as EpochSec;

export interface ScriptedCell {
  readonly cell: string;
  readonly next: ServerState;
}

/** Of these cells those that the script comes to, with the state that is printed there. */
export function scriptedCells(wanted: ReadonlySet<string>): string[] {
  const states = OWN_STATES.flatMap((own) =>
    TOLD_STATES.filter((told) => wanted.has(tableCell(own, told)))
      .filter((told) => meet(own, told).next === nextState(own, told))
      .map((told) => tableCell(own, told)),
  );
  const { primaryDemands } = BINDING_CELLS;
  return wanted.has(primaryDemands) && takesBack() ? [...states, primaryDemands] : states;
}

/** Specification 5.2: Windows moves nothing by itself, so our primary takes what it has too much of, and has it at the answer. */
export function takesBack(): boolean {
  const table = makeTable('backup');
  const endpoint = begin('primary', 'communications-interrupted', { table, profile: 'msft' });
  const asked = [...hear(endpoint, 'normal')].flatMap((effect) =>
    effect.kind === 'send' && effect.message.kind === 'bndupd' ? [effect.message] : [],
  );
  const taken = asked.flatMap(({ updates }) => updates.filter(({ state }) => state === 'free'));
  const isBefore = taken.length > 0 && taken.every(({ address }) => table.find(address)?.state === 'backup');
  for (const { xid, updates } of asked) give(endpoint, { kind: 'bndack', xid, answers: updates, sentAt: NOW.wallAt });
  return isBefore && taken.every(({ address }) => table.find(address)?.state === 'free');
}

/** Leads an endpoint into the state, lets the partner say its own, and answers what it is in then. */
export function meet(own: OwnState, told: ToldState): ScriptedCell {
  // Only the primary comes to CONFLICT-DONE.
  const endpoint = begin(own === 'conflict-done' ? 'primary' : 'secondary', rememberedFor(own));
  const before = ON_THE_WAY[own];
  if (before !== undefined) hear(endpoint, before);
  hear(endpoint, told);
  return { cell: tableCell(own, told), next: endpoint.state };
}

/** States that a start does not come back to are entered by what the partner says first. */
const ON_THE_WAY: Readonly<Partial<Record<OwnState, ToldState>>> = {
  normal: 'normal',
  'potential-conflict': 'partner-down',
};

function rememberedFor(own: OwnState): OwnState {
  if (own === 'normal') return 'communications-interrupted';
  return own === 'potential-conflict' ? 'partner-down' : own;
}

interface Beginning {
  readonly table: BindingTable;
  readonly profile: WireProfile;
}

function begin(
  role: 'primary' | 'secondary',
  state: OwnState,
  { table, profile }: Beginning = { table: makeTable('free'), profile: 'twinlease' },
): Endpoint {
  const config: EndpointConfig = {
    name: 'pair',
    id: 'id',
    role,
    mode: 'LoadBalance',
    isActive: true,
    percentage: 50,
    mcltSec: 60 as Sec,
    autoPartnerDownSec: undefined,
    profile,
    scopeIds: [SCOPE],
    loadBalanceMaxSec: 3 as Sec,
  };
  const record = {
    ...initialRecord(config, NOW, { holdsAllData: false, wantsAll: false }),
    state,
    stateSinceAt: LONG_AGO,
    lastOperationalAt: NOW.wallAt,
    recoverWaitUntilAt: (state === 'recover-wait' ? NOW_AT + 1000 : 0) as EpochSec,
  };
  const store = { storeId: new Uint8Array(16), sequence: () => 1, isLostStore: false };
  const endpoint = makeEndpoint(config, record, table, limitsOf(profile), store);
  endpoint.step(NOW, { kind: 'start' });
  shakeHands(role, endpoint);
  return endpoint;
}

function makeTable(owner: AvailableState): BindingTable {
  const table = makeBindingTable(1);
  table.setPool(
    {
      scopeId: SCOPE,
      prefixLength: 24,
      firstAddress: (SCOPE + 10) as Ip4,
      lastAddress: (SCOPE + 19) as Ip4,
      exclusions: [],
      reserved: [],
    },
    owner,
  );
  return table;
}

function shakeHands(role: 'primary' | 'secondary', endpoint: Endpoint): void {
  const effects = endpoint.step(NOW, { kind: 'connected', dialled: role === 'primary' });
  const common = {
    relationshipName: 'pair',
    maxUnacked: 10,
    receiveTimerSec: 10 as Sec,
    vendorClass: 'twinlease/1',
    protocolVersion: 1,
  };
  if (role === 'primary') give(endpoint, { kind: 'connectack', ...common, sentAt: NOW.wallAt, xid: xidOf(effects) });
  else {
    const connect = { ...common, mcltSec: 60 as Sec, hashBuckets: new Uint8Array(32) };
    give(endpoint, { kind: 'connect', ...connect, sentAt: NOW.wallAt, xid: 1 });
  }
}

function xidOf(effects: readonly Effect[]): number {
  for (const effect of effects)
    if (effect.kind === 'send' && effect.message.kind === 'connect') return effect.message.xid;
  return 0;
}

function hear(endpoint: Endpoint, serverState: ServerState): readonly Effect[] {
  return give(endpoint, {
    kind: 'state',
    serverState,
    serverFlags: 0,
    stateSinceAt: LONG_AGO,
    sentAt: NOW.wallAt,
    xid: 2,
  });
}

function give(endpoint: Endpoint, message: FailoverMessage): readonly Effect[] {
  return endpoint.step(NOW, { kind: 'message', message });
}
