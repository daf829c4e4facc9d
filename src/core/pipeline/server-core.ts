/**
 * The whole of a server's rules behind one object: client packets, partner messages, timers and operators' commands go in; what
 * must be saved and sent comes out through the ports, in the order decide, commit, send (design, part 2). Deterministic: it
 * owns no clock, timer, socket or file, and runs unchanged in the simulator.
 */
import type { DhcpPacket } from '../../wire/dhcp/packet.ts';
import { decodeDhcpPacket } from '../../wire/dhcp/packet-codec.ts';
import type { FailoverMessage, OutMessage } from '../../wire/failover/messages.ts';
import {
  type EpochSec,
  formatIp4,
  type Ip4,
  type MonoMs,
  type Now,
  parseIp4,
  type Sec,
  toHex,
} from '../../wire/units.ts';
import type { AvailableState, Binding, BindingTable } from '../bindings/binding.ts';
import type { Config, Relationship } from '../config/model.ts';
import { poolShapeOf } from '../config/pool-shape.ts';
import { makeEndpoint, type StoreView } from '../failover/endpoint.ts';
import type {
  CommandResult,
  Effect,
  Endpoint,
  EndpointCommand,
  EndpointConfig,
  EndpointInput,
  EndpointLimits,
  RelationshipRecord,
  Rights,
} from '../failover/endpoint-types.ts';
import { initialRecord } from '../failover/initial-record.ts';
import { EXPIRE_GRACE_SEC } from '../failover/limits.ts';
import { endDeclines } from '../serving/decline.ts';
import { leavingRights } from '../serving/leaving-rights.ts';
import { makeServing } from '../serving/serving.ts';
import type {
  Decision,
  ImportVerdict,
  Ingress,
  LeaseToImport,
  ReplyPlan,
  Serving,
  ServingIdentity,
} from '../serving/serving-types.ts';
import { STANDALONE_RIGHTS } from '../serving/standalone-rights.ts';
import { tombstoneRights } from '../serving/tombstone-rights.ts';
import { enteringSpans } from './pool-changes.ts';
import { encodeRecord } from './record-codec.ts';
import type { LogRecord } from './records.ts';

/** What the core asks of the shell. Calls return at once; nothing calls back into the core. */
export interface CorePorts {
  /** Copies the record into the open frame of the log; the sequence with which it becomes durable. */
  append(record: Uint8Array): number;
  /** False while the bounded slots are full: packets that would need the log are then shed. */
  hasRoom(): boolean;
  /** `afterSequence` 0: at once. */
  sendPacket(reply: ReplyPlan, afterSequence: number): void;
  /** In order per relationship; `afterSequence` 0: at once, before everything that waits. */
  sendLink(relationship: string, message: OutMessage, afterSequence: number): void;
  dial(relationship: string): void;
  closeLink(relationship: string, why: string): void;
  event(code: string, slots: Readonly<Record<string, string | number>>): void;
}

export interface CoreOptions {
  readonly ports: CorePorts;
  readonly bindings: BindingTable;
  readonly identity: ServingIdentity;
  readonly store: StoreView;
  readonly limits: (relationship: Relationship) => EndpointLimits;
}

/** How scopes and relationships enter with a revision; see `ConfigChange`. */
export interface Entering {
  readonly given: readonly { readonly scopeId: Ip4; readonly owner: 'free' | 'backup' }[];
  readonly forgotten: readonly Ip4[];
  readonly newRelationships: readonly { readonly name: string; readonly holdsAllData: boolean }[];
  /** Scopes of a living relationship whose leases this server has yet to fetch: silent here until then. */
  readonly silentScopeIds: readonly Ip4[];
}
export const NOTHING_ENTERS: Entering = { given: [], forgotten: [], newRelationships: [], silentScopeIds: [] };

/** Expired leases of scopes without relationship handled in one timer call. */
const EXPIRE_BATCH = 512;
/** Bindings looked at in one timer call for addresses whose time aside is over. */
const DECLINE_SWEEP = 256;
/** How far the clock of a server that granted a lease may have been behind ours: specification 1.11, S. */
const PARTNERS_LEASE_GRACE_SEC = 5;
/** Between two sweeps over the declined addresses; they are set aside for minutes at least, and each look is a copy. */
const DECLINE_SWEEP_EVERY_MS = 10_000;
/** How often leases and offers are looked at when something is due, ms. */
const HOUSEKEEPING_MS = 500;

/** The decision on one packet and the packet, for traces and counters; `packet` is undefined when it could not be read. */
export interface PacketReport {
  readonly decision: Decision;
  readonly packet: DhcpPacket | undefined;
}

export class ServerCore {
  readonly bindings: BindingTable;
  readonly #ports: CorePorts;
  readonly #store: StoreView;
  readonly #limits: CoreOptions['limits'];
  readonly #serving: Serving;
  readonly #endpoints = new Map<string, { readonly endpoint: Endpoint; config: EndpointConfig }>();
  readonly #rightsByScope = new Map<Ip4, { readonly name: string; readonly rights: Rights }>();
  readonly #tombstoneRights = new Map<Ip4, Rights>();
  /** Scopes whose removal from this server is promised. */
  readonly #leaving = new Set<Ip4>();
  #config: Config;
  /** Sequence of the newest record appended: a reply that repeats a promise waits for what was saved before. */
  #lastSequence = 0;
  #housekeepingAt = 0;
  /** Where the sweep over declined addresses goes on. */
  #declineSweep: { readonly scopeId: Ip4; readonly from: Ip4 } | undefined;
  #declineSweepAt = 0;
  #clockTrusted = true;
  /** The answer of `deadlineMs` until something happens that can change it: it is asked after every packet. */
  #deadlineMs: MonoMs | undefined;

  /** Pools must be those of `config` and the table replayed; `records` are the relationships' as replayed. */
  constructor(options: CoreOptions, config: Config, records: ReadonlyMap<string, RelationshipRecord>) {
    this.bindings = options.bindings;
    this.#ports = options.ports;
    this.#store = options.store;
    this.#limits = options.limits;
    this.#config = config;
    for (const relationship of config.relationships) {
      const record = records.get(relationship.name);
      this.#addEndpoint(relationship, record?.id === relationship.id ? record : undefined);
    }
    this.#readTombstones(config);
    this.#serving = makeServing(config, this.bindings, (scopeId) => this.rightsOf(scopeId), options.identity);
  }

  rightsOf(scopeId: Ip4): Rights {
    const rights = this.#rightsByScope.get(scopeId)?.rights ?? this.#tombstoneRights.get(scopeId) ?? STANDALONE_RIGHTS;
    return this.#leaving.has(scopeId) ? leavingRights(rights) : rights;
  }

  get config(): Config {
    return this.#config;
  }

  get serving(): Serving {
    return this.#serving;
  }

  endpoint(name: string): Endpoint | undefined {
    return this.#endpoints.get(name)?.endpoint;
  }

  endpointNames(): readonly string[] {
    return [...this.#endpoints.keys()];
  }

  start(now: Now): void {
    for (const name of this.#endpoints.keys()) this.#step(now, name, { kind: 'start' });
  }

  /** A clock that cannot be trusted lets nothing expire and no address change hands (design, part 2). */
  setClockTrusted(isTrusted: boolean): void {
    this.#clockTrusted = isTrusted;
    this.#deadlineMs = undefined;
    for (const { endpoint } of this.#endpoints.values()) endpoint.setClockTrusted(isTrusted);
  }

  /** Decides one client packet. `bytes` is read before the call returns. */
  packet(now: Now, ingress: Ingress, bytes: Uint8Array): PacketReport {
    const read = decodeDhcpPacket(bytes);
    if (read.kind === 'bad') return { decision: malformed(read.why, read.at), packet: undefined };
    if (!this.#ports.hasRoom()) return { decision: shed(), packet: read.value };
    const decision = this.#serving.decide(now, ingress, read.value);
    for (const address of decision.changed) this.#bindingChanged(now, address);
    if (decision.kind === 'reply') {
      // An OFFER promises nothing durable; everything else may rest on a record that is still on its way to the disk.
      this.#ports.sendPacket(decision.reply, decision.reply.messageType === 'offer' ? 0 : this.#lastSequence);
    }
    return { decision, packet: read.value };
  }

  linkConnected(now: Now, relationship: string, dialled: boolean): void {
    this.#step(now, relationship, { kind: 'connected', dialled });
  }

  linkFailed(now: Now, relationship: string, why: string): void {
    this.#step(now, relationship, { kind: 'dial-failed', why });
  }

  linkClosed(now: Now, relationship: string, why: string): void {
    this.#step(now, relationship, { kind: 'disconnected', why });
  }

  linkMessage(now: Now, relationship: string, message: FailoverMessage): void {
    this.#step(now, relationship, { kind: 'message', message });
  }

  command(now: Now, relationship: string, command: EndpointCommand): CommandResult | undefined {
    const found = this.#endpoints.get(relationship);
    if (found === undefined) return undefined;
    this.#step(now, relationship, { kind: 'command', command });
    return found.endpoint.commandResult;
  }

  unservedScopes(now: Now, scopeIds: readonly Ip4[]): void {
    for (const [name, { config }] of this.#endpoints) {
      const own = scopeIds.filter((scopeId) => config.scopeIds.includes(scopeId));
      this.#step(now, name, { kind: 'unserved-scopes', scopeIds: own });
    }
  }

  /** Stores bindings that an operator changed. */
  changeBindings(now: Now, bindings: readonly Binding[]): void {
    for (const binding of bindings) {
      this.bindings.change(binding);
      this.#bindingChanged(now, binding.address);
    }
  }

  /** Takes leases over that another server gave, in this order; one verdict for each. A trial changes nothing. */
  importLeases(now: Now, leases: readonly LeaseToImport[], isTrial: boolean): ImportVerdict[] {
    return leases.map((lease) => {
      const verdict = this.#serving.importLease(now, lease, isTrial);
      if (verdict.kind === 'made' && !isTrial) this.#bindingChanged(now, lease.address);
      return verdict;
    });
  }

  timer(now: Now): void {
    this.#deadlineMs = undefined;
    if (now.monoMs >= this.#housekeepingAt) {
      this.#housekeepingAt = now.monoMs + HOUSEKEEPING_MS;
      this.#serving.expireOffers(now);
      if (this.#clockTrusted) {
        this.#expireStandalone(now);
        this.#endDeclines(now);
      }
    }
    for (const [name, { endpoint }] of this.#endpoints) {
      const { deadlineMs } = endpoint;
      if (deadlineMs !== undefined && deadlineMs <= now.monoMs) this.#step(now, name, { kind: 'timer' });
    }
  }

  /** When `timer` wants to be called next. */
  deadlineMs(): MonoMs {
    this.#deadlineMs ??= this.#nextDeadlineMs();
    return this.#deadlineMs;
  }

  #nextDeadlineMs(): MonoMs {
    let deadline = this.#housekeepingAt;
    for (const { endpoint } of this.#endpoints.values()) {
      // Computed anew at each look.
      const { deadlineMs } = endpoint;
      if (deadlineMs !== undefined && deadlineMs < deadline) deadline = deadlineMs;
    }
    return deadline as MonoMs;
  }

  /**
   * Takes a revision into use: pools, relationships and serving follow it. The records that must be durable with it are
   * appended; the caller has appended the `configuration` record before, so that all are one commit.
   */
  reconfigure(now: Now, config: Config, entering: Entering): void {
    this.#deadlineMs = undefined;
    const before = this.#config;
    this.#config = config;
    this.#changePools(before, config, entering);
    for (const name of [...this.#endpoints.keys()]) {
      const kept = config.relationships.find((r) => r.name === name && r.id === this.#endpoints.get(name)?.config.id);
      if (kept === undefined) this.#dropEndpoint(name);
    }
    for (const relationship of config.relationships) {
      const present = this.#endpoints.get(relationship.name);
      if (present === undefined) this.#enterRelationship(now, relationship, entering);
      else this.#reconfigureEndpoint(now, relationship, present, entering);
    }
    this.#readTombstones(config);
    this.#serving.reconfigure(config);
  }

  /** Everything durable that the table's snapshot does not hold, as records; the shell adds its own. */
  stateRecords(): Uint8Array[] {
    return [...this.#endpoints.values()].map(({ endpoint }) =>
      encodeRecord({ kind: 'relationship', record: endpoint.record() }),
    );
  }

  #step(now: Now, name: string, input: EndpointInput): void {
    const found = this.#endpoints.get(name);
    if (found === undefined) return;
    this.#deadlineMs = undefined;
    this.#perform(name, found.endpoint.step(now, input));
  }

  #perform(name: string, effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'save-binding':
          this.#saveBinding(effect.address);
          break;
        case 'save-relationship':
          this.#save({ kind: 'relationship', record: effect.record });
          break;
        case 'send':
          this.#ports.sendLink(name, effect.message, this.#lastSequence);
          break;
        case 'send-now':
          this.#ports.sendLink(name, effect.message, 0);
          break;
        case 'dial':
          this.#ports.dial(name);
          break;
        case 'close':
          this.#ports.closeLink(name, effect.why);
          break;
        case 'event':
          this.#ports.event(effect.code, { name, ...effect.slots });
          break;
        default:
          effect satisfies never;
      }
    }
  }

  /** Makes a changed binding durable and tells its relationship; one record when the engine saves it anyway. */
  #bindingChanged(now: Now, address: Ip4): void {
    this.#deadlineMs = undefined;
    const scopeId = this.bindings.scopeOf(address);
    const owner = scopeId === undefined ? undefined : this.#rightsByScope.get(scopeId);
    if (owner === undefined) {
      this.#saveBinding(address);
      return;
    }
    const effects = this.#endpoints.get(owner.name)?.endpoint.step(now, { kind: 'binding-changed', address }) ?? [];
    if (!effects.some((effect) => effect.kind === 'save-binding' && effect.address === address))
      this.#saveBinding(address);
    this.#perform(owner.name, effects);
  }

  #saveBinding(address: Ip4): void {
    const binding = this.bindings.find(address);
    if (binding !== undefined) this.#save({ kind: 'binding', binding });
  }

  #save(record: LogRecord): void {
    this.#lastSequence = this.#ports.append(encodeRecord(record));
  }

  #expireStandalone(now: Now): void {
    // Ends are whole seconds, while the client counts from its REQUEST; and the clock may just be slewing.
    const endedAt = (now.wallAt - EXPIRE_GRACE_SEC) as EpochSec;
    const dueAt = this.bindings.dueAt();
    if (dueAt === undefined || dueAt > endedAt) return;
    // Leases of a relationship end by its own rules (specification 5.2).
    const isAlone = (scopeId: Ip4): boolean => !this.#rightsByScope.has(scopeId);
    for (const address of this.bindings.takeDue(endedAt, EXPIRE_BATCH, isAlone)) {
      const scopeId = this.bindings.scopeOf(address);
      if (scopeId === undefined) continue;
      const binding = this.bindings.find(address);
      if (binding === undefined) continue;
      // It was granted by the partner of a relationship that is no more, by another clock.
      if (!binding.grantedHere && now.wallAt < binding.leaseEndAt + PARTNERS_LEASE_GRACE_SEC) continue;
      this.bindings.change(freed(binding, binding.leaseEndAt, this.rightsOf(scopeId).own));
      this.#saveBinding(address);
    }
  }

  /**
   * A part of one scope at a time; scopes without declined addresses are passed over, and those where this server may not end
   * anything now: while it recovers, the partner may have given the address on already.
   */
  #endDeclines(now: Now): void {
    if (this.#declineSweep === undefined) {
      if (now.monoMs < this.#declineSweepAt) return;
      this.#declineSweepAt = now.monoMs + DECLINE_SWEEP_EVERY_MS;
    }
    const scopeIds = this.bindings
      .pools()
      .map((pool) => pool.scopeId)
      .filter((id) => this.bindings.counts(id).abandoned > 0 && this.rightsOf(id).mayExpire(now));
    const going = this.#declineSweep;
    const sweep =
      going !== undefined && scopeIds.includes(going.scopeId) ? going : { scopeId: scopeIds[0], from: scopeIds[0] };
    if (sweep.scopeId === undefined || sweep.from === undefined) return;
    const { changed, next } = endDeclines(now, this.bindings, this.rightsOf(sweep.scopeId), {
      scopeId: sweep.scopeId,
      from: sweep.from,
      limit: DECLINE_SWEEP,
      declineHoldSec: this.#config.server.declineHoldSec,
    });
    for (const address of changed) this.#bindingChanged(now, address);
    if (next !== undefined) {
      this.#declineSweep = { scopeId: sweep.scopeId, from: next };
      return;
    }
    const following = scopeIds[scopeIds.indexOf(sweep.scopeId) + 1];
    this.#declineSweep = following === undefined ? undefined : { scopeId: following, from: following };
  }

  #readTombstones(config: Config): void {
    this.#tombstoneRights.clear();
    this.#leaving.clear();
    for (const text of config.relationships.flatMap((relationship) => relationship.leavingScopeIds ?? [])) {
      const scopeId = parseIp4(text);
      if (scopeId !== undefined) this.#leaving.add(scopeId);
    }
    for (const { scopeIds, role } of config.tombstones) {
      for (const text of scopeIds) {
        const scopeId = parseIp4(text);
        if (scopeId !== undefined) this.#tombstoneRights.set(scopeId, tombstoneRights(role));
      }
    }
  }

  #addEndpoint(relationship: Relationship, record: RelationshipRecord | undefined): void {
    const config = endpointConfigOf(relationship, this.#config);
    const endpoint = makeEndpoint(config, record, this.bindings, this.#limits(relationship), this.#store, (address) =>
      this.#serving.isOffered(address),
    );
    endpoint.setClockTrusted(this.#clockTrusted);
    this.#endpoints.set(relationship.name, { endpoint, config });
    for (const scopeId of config.scopeIds)
      this.#rightsByScope.set(scopeId, { name: relationship.name, rights: endpoint.rights });
  }

  #dropEndpoint(name: string): void {
    const found = this.#endpoints.get(name);
    if (found === undefined) return;
    this.#ports.closeLink(name, 'the relationship was removed');
    for (const scopeId of found.config.scopeIds) this.#rightsByScope.delete(scopeId);
    this.#endpoints.delete(name);
    this.#save({ kind: 'relationship-gone', name });
  }

  #enterRelationship(now: Now, relationship: Relationship, entering: Entering): void {
    const entry = entering.newRelationships.find((r) => r.name === relationship.name);
    const record = initialRecord(endpointConfigOf(relationship, this.#config), now, {
      holdsAllData: entry?.holdsAllData ?? false,
      // A relationship that comes in by a restored or applied configuration knows nothing of its partner's leases.
      wantsAll: !(entry?.holdsAllData ?? false),
      gaveNoLease: entry !== undefined,
    });
    this.#save({ kind: 'relationship', record });
    this.#addEndpoint(relationship, record);
    this.#step(now, relationship.name, { kind: 'start' });
  }

  #reconfigureEndpoint(
    now: Now,
    relationship: Relationship,
    present: { config: EndpointConfig; readonly endpoint: Endpoint },
    entering: Entering,
  ): void {
    const config = endpointConfigOf(relationship, this.#config);
    const newScopeIds = config.scopeIds.filter((scopeId) => !present.config.scopeIds.includes(scopeId));
    for (const scopeId of present.config.scopeIds)
      if (!config.scopeIds.includes(scopeId)) this.#rightsByScope.delete(scopeId);
    for (const scopeId of newScopeIds) {
      this.#rightsByScope.set(scopeId, { name: relationship.name, rights: present.endpoint.rights });
    }
    // The called server holds all data of a scope that it brings in; only the other half is silent for it at first.
    const silent = entering.silentScopeIds.filter((scopeId) => config.scopeIds.includes(scopeId));
    if (silent.length === 0 && JSON.stringify(config) === JSON.stringify(present.config)) return;
    present.config = config;
    this.#step(now, relationship.name, { kind: 'reconfigured', config, newScopeIds: silent });
  }

  #changePools(before: Config, config: Config, entering: Entering): void {
    for (const scopeId of entering.forgotten) {
      this.bindings.removePool(scopeId);
      this.#save({ kind: 'scope-gone', scopeId });
    }
    const kept = new Set(config.scopes.map((scope) => scope.scopeId));
    for (const scope of before.scopes) {
      const scopeId = parseIp4(scope.scopeId);
      if (scopeId === undefined || kept.has(scope.scopeId) || entering.forgotten.includes(scopeId)) continue;
      this.bindings.removePool(scopeId);
      this.#save({ kind: 'scope-gone', scopeId });
    }
    for (const scope of config.scopes) {
      const shape = poolShapeOf(scope);
      const given = entering.given.find((g) => g.scopeId === shape.scopeId);
      const present = this.bindings.pools().find((pool) => pool.scopeId === shape.scopeId);
      this.bindings.setPool(shape, given?.owner ?? 'free');
      if (given === undefined) {
        for (const span of present === undefined ? [] : enteringSpans(present, shape))
          this.#save({ kind: 'range-given', ...span, owner: 'free' });
        continue;
      }
      this.bindings.giveAll(given.scopeId, given.owner);
      this.#save({ kind: 'scope-given', scopeId: given.scopeId, owner: given.owner });
    }
  }
}

/** The address back in the hands of its owner; the last client stays known, for affinity. */
export function freed(binding: Binding, at: EpochSec, owner: AvailableState): Binding {
  return {
    ...binding,
    state: owner,
    stateSinceAt: at,
    leaseEndAt: 0 as EpochSec,
    sentPotentialAt: 0 as EpochSec,
    ackedPotentialAt: 0 as EpochSec,
    recvPotentialAt: 0 as EpochSec,
    ipFlags: 0,
    dirty: false,
    told: false,
    ownedAs: owner,
  };
}

function endpointConfigOf(relationship: Relationship, config: Config): EndpointConfig {
  return {
    name: relationship.name,
    id: relationship.id,
    role: relationship.role,
    mode: relationship.mode,
    isActive: relationship.isActive,
    percentage: relationship.percentage,
    mcltSec: relationship.mcltSec as Sec,
    autoPartnerDownSec: (relationship.stateSwitchIntervalSec ?? undefined) as Sec | undefined,
    profile: relationship.profile,
    scopeIds: relationship.scopeIds.map((text) => parseIp4(text)).filter((address) => address !== undefined),
    loadBalanceMaxSec: config.server.loadBalanceMaxSec as Sec,
    ...formerMcltOf(relationship),
    ...bootpScopesOf(relationship, config),
    ...localAddressOf(relationship, config),
    ...digestOf(relationship),
  };
}

function formerMcltOf({ formerMclt }: Relationship): Pick<EndpointConfig, 'formerMclt'> {
  if (formerMclt === undefined) return {};
  return { formerMclt: { sec: formerMclt.sec as Sec, untilAt: formerMclt.untilAt as EpochSec } };
}

function bootpScopesOf(relationship: Relationship, config: Config): Pick<EndpointConfig, 'bootpScopeIds'> {
  const texts = config.scopes.filter((scope) => scope.type !== 'Dhcp').map((scope) => scope.scopeId);
  const found = texts.filter((text) => relationship.scopeIds.includes(text)).map((text) => parseIp4(text));
  return found.length === 0 ? {} : { bootpScopeIds: found.filter((address) => address !== undefined) };
}

/** Specification 1.12: our own links are inside TLS, and dhcpd has none. */
function digestOf({ profile, sharedSecretRef }: Relationship): Pick<EndpointConfig, 'hasDigest'> {
  const isPlain = profile === 'draft' || profile === 'msft';
  return isPlain && sharedSecretRef !== null ? { hasDigest: true } : {};
}

function localAddressOf(relationship: Relationship, config: Config): Pick<EndpointConfig, 'localAddress'> {
  const partner = config.partners.find(({ key }) => key === relationship.partnerKey);
  const localAddress = parseIp4(partner?.foreign?.localAddress ?? '');
  return localAddress === undefined ? {} : { localAddress };
}

function malformed(why: string, at: number): Decision {
  return {
    kind: 'drop',
    code: 'malformed',
    messageType: 'unknown',
    scopeId: undefined,
    reason: `not a DHCP packet: ${why} at byte ${at}`,
    steps: [],
    changed: [],
  };
}

function shed(): Decision {
  return {
    kind: 'drop',
    code: 'overloaded',
    messageType: 'unknown',
    scopeId: undefined,
    reason: 'the disk is behind and every slot is taken; the client will try again',
    steps: [],
    changed: [],
  };
}

/** How a client is named in traces: hardware address, and the client identifier when it sent one. */
export function clientNames(packet: DhcpPacket): { hardware: string; clientId: string | null; relay: string | null } {
  const clientId = packet.options.get(61);
  return {
    hardware: toHex(packet.chaddr, ':'),
    clientId: clientId === undefined ? null : toHex(clientId),
    relay: packet.giaddr === 0 ? null : formatIp4(packet.giaddr),
  };
}
