/**
 * Two servers made of plain objects: what is durable survives a kill, what runs does not, and the channel between them can be cut
 * or lose an answer. The operations run over them as they run over real servers.
 */
import assert from 'node:assert/strict';
import type { Binding, BindingTable } from '../../src/core/bindings/binding.ts';
import { makeBindingTable } from '../../src/core/bindings/table.ts';
import { checkConfig } from '../../src/core/config/checks.ts';
import { defaultConfig, defaultScope } from '../../src/core/config/defaults.ts';
import type { Config, Partner, Revision, Scope } from '../../src/core/config/model.ts';
import { poolShapeOf } from '../../src/core/config/pool-shape.ts';
import type { EndpointStatus } from '../../src/core/failover/endpoint-types.ts';
import { faultProblem } from '../../src/core/problems/config-faults.ts';
import type { Problem } from '../../src/core/problems/problem.ts';
import { makeServing } from '../../src/core/serving/serving.ts';
import { STANDALONE_RIGHTS } from '../../src/core/serving/standalone-rights.ts';
import { changesOf } from '../../src/manage/changes.ts';
import { invoke } from '../../src/manage/define.ts';
import { followerOf } from '../../src/manage/follow.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { handlePartnerCall } from '../../src/manage/partner-methods.ts';
import { ChangeRecovery } from '../../src/manage/recovery.ts';
import { operationByName } from '../../src/manage/registry.ts';
import type {
  Caller,
  ConfigChange,
  ConfigOutcome,
  Control,
  DecisionTrace,
  PartnerAnswer,
  TransactionRecord,
} from '../../src/server/control.ts';
import type { ServerState } from '../../src/wire/failover/messages.ts';
import { type EpochSec, type Ip4, type MonoMs, parseIp4 } from '../../src/wire/units.ts';

export const ADMINISTRATOR: Caller = { account: 'admin', role: 'administrator', door: 'cli', address: '127.0.0.1' };
export const READER: Caller = { ...ADMINISTRATOR, account: 'reader', role: 'reader' };

/** Something durable or a message: where a process can be killed, before or after. */
export interface Step {
  readonly server: FakeServer;
  readonly what: string;
  readonly when: 'before' | 'after';
}

export class FakeWorld {
  monoMs = 1000;
  wallAt = 1_700_000_000;
  isCut = false;
  onStep: ((step: Step) => void) | undefined;
  readonly a: FakeServer;
  readonly b: FakeServer;

  constructor() {
    this.a = new FakeServer(this, 'dhcp1', 'aa'.repeat(32), '10.0.0.1');
    this.b = new FakeServer(this, 'dhcp2', 'bb'.repeat(32), '10.0.0.2');
  }

  other(server: FakeServer): FakeServer {
    return server === this.a ? this.b : this.a;
  }

  /** Lets everything that is under way come to rest, without time passing. */
  async rest(): Promise<void> {
    for (let i = 0; i < 40; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Time passes, with the timers of both servers running. */
  async pass(sec: number): Promise<void> {
    for (let left = sec; left > 0; left -= 6) {
      this.monoMs += 6000;
      this.wallAt += 6;
      for (const server of [this.a, this.b]) if (server.isUp) server.tick();
      await this.rest();
    }
  }
}

/** What only lasts as long as the process. */
interface Process {
  readonly control: Control;
  readonly recovery: ChangeRecovery;
  readonly died: Promise<PartnerAnswer>;
  readonly die: () => void;
}

export class FakeServer {
  readonly name: string;
  readonly key: string;
  readonly address: string;
  readonly bindings: BindingTable = makeBindingTable(1);
  readonly revisions: Revision[];
  readonly transactions = new Map<string, TransactionRecord>();
  readonly secrets = new Map<string, string>();
  readonly states = new Map<string, ServerState>();
  readonly silent = new Set<Ip4>();
  readonly changes: ConfigChange[] = [];
  readonly audits: unknown[] = [];
  readonly commands: string[] = [];
  /** Names that resolve here. */
  readonly hosts = new Map<string, string>();
  features: string[] | undefined;
  skewSec = 0;
  /** Since when its endpoints are in PARTNER-DOWN. */
  downAt = 0;
  /** Waits and lacks as the engine tells them; empty where it says nothing. */
  waits: Partial<EndpointStatus> = {};
  drainRefusal: string | undefined;
  traces: DecisionTrace[] = [];
  isUp = true;
  readonly #world: FakeWorld;
  #process: Process;

  constructor(world: FakeWorld, name: string, key: string, address: string) {
    this.#world = world;
    this.name = name;
    this.key = key;
    this.address = address;
    this.revisions = [
      { number: 1, madeAt: 0, by: 'server', what: 'first start', transaction: null, config: defaultConfig(name) },
    ];
    this.#process = this.#start();
  }

  get control(): Control {
    return this.#process.control;
  }

  get config(): Config {
    return this.revisions.at(-1)!.config;
  }

  get partner(): Partner {
    return { key: this.key, name: this.name, host: this.address, port: 647 };
  }

  kill(): void {
    this.isUp = false;
    this.#process.die();
  }

  restart(): void {
    this.isUp = true;
    this.#process = this.#start();
  }

  tick(): void {
    const now = this.control.now();
    this.#process.recovery.tick(now);
    followerOf(this.control).tick(now);
  }

  /** Puts a configuration in force without an operation. */
  put(change: (config: Config) => Config): void {
    const config = change(this.config);
    assert.deepEqual(checkConfig(config), []);
    this.#enforce({ base: this.revisions.length, by: 'test', what: 'test', config });
  }

  async run(
    operation: string,
    params: Record<string, unknown> = {},
    how: { whatIf?: boolean; caller?: Caller } = {},
  ): Promise<Outcome<unknown>> {
    const found = operationByName(operation);
    assert.ok(found !== undefined, `no operation ${operation}`);
    const { whatIf = false, caller = ADMINISTRATOR } = how;
    return await invoke({ control: this.control, caller, operation: found, params, whatIf });
  }

  openChanges(): string[] {
    return changesOf(this.control)
      .open()
      .map((open) => open.standing);
  }

  #start(): Process {
    let die = (): void => undefined;
    const died = new Promise<PartnerAnswer>((resolve) => {
      die = () => resolve({ kind: 'unreachable', why: 'connection reset', mayHaveArrived: true });
    });
    const control = this.#makeControl(() => this.#process.control === control && this.isUp);
    return { control, recovery: new ChangeRecovery(control), died, die };
  }

  #makeControl(isAlive: () => boolean): Control {
    const world = this.#world;
    /** A step of a process: it may be killed before or after; a killed one never goes on. */
    const step = async <T>(what: string, act: () => Promise<T> | T): Promise<T> => {
      const never = (): Promise<T> => new Promise<T>(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      if (!isAlive()) return await never();
      world.onStep?.({ server: this, what, when: 'before' });
      if (!isAlive()) return await never();
      const done = await act();
      if (!isAlive()) return await never();
      world.onStep?.({ server: this, what, when: 'after' });
      return isAlive() ? done : await never();
    };
    const control: Control = {
      serverName: this.name,
      key: this.key,
      version: '0.1.0',
      now: () => ({ monoMs: world.monoMs as MonoMs, wallAt: (world.wallAt + this.skewSec) as EpochSec }),
      ownNames: () => [this.name, this.address, '127.0.0.1'],
      revision: () => this.revisions.at(-1)!,
      history: async () => this.revisions.map(({ config: _config, ...head }) => head),
      readRevision: async (number) => this.revisions.find((revision) => revision.number === number),
      changeConfig: (change) => step(`revision ${change.what}`, () => this.#enforce(change)),
      saveTransactions: (records) => step('records', () => this.#save(records)),
      transactions: () => [...this.transactions.values()],
      bindings: this.bindings,
      changeBindings: (bindings) =>
        step('bindings', () => {
          for (const binding of bindings) this.bindings.change(binding);
        }),
      importLeases: (leases, isTrial) =>
        step('import', () => {
          const identity = { relayServerAddress: parseIp4(this.address)! };
          const serving = makeServing(this.config, this.bindings, () => STANDALONE_RIGHTS, identity);
          return leases.map((one) => serving.importLease(control.now(), one, isTrial));
        }),
      pendingOffers: () => 0,
      endpointStatus: (name) => this.#status(name),
      command: async (name, command) => {
        this.commands.push(`${name} ${command.kind}`);
        if (command.kind === 'partner-down') this.states.set(name, 'partner-down');
        return { kind: 'done' };
      },
      drained: (name) =>
        step(`drained ${name}`, () =>
          this.drainRefusal === undefined
            ? { kind: 'done' as const }
            : { kind: 'not' as const, why: this.drainRefusal },
        ),
      callPartner: (partner, method, params) => step(`call ${method}`, () => this.#call(partner, method, params)),
      acceptInvitation: async (code) => this.#acceptInvitation(code),
      invite: () => ({ code: 'code-of-' + this.name, expiresAt: (world.wallAt + 600) as EpochSec }),
      placeFor: async () => ({ address: this.address, port: 647 }),
      resolve: async (host) => {
        const address = parseIp4(host) ?? parseIp4(this.hosts.get(host.toLowerCase()) ?? '');
        return address === undefined ? [] : [address];
      },
      putSecret: async (secret) => {
        const ref = `secret-${this.secrets.size + 1}`;
        this.secrets.set(ref, secret);
        return ref;
      },
      hasSecret: (ref) => this.secrets.has(ref),
      secretOf: (ref) => this.secrets.get(ref),
      counters: () => ({
        startedAt: 1 as EpochSec,
        discovers: 7,
        offers: 6,
        requests: 5,
        acks: 4,
        naks: 3,
        declines: 2,
        releases: 1,
        informs: 0,
        delayedOffers: 0,
        drops: {},
      }),
      traces: () => this.traces,
      problems: () => [],
      audit: (entry) => {
        this.audits.push(entry);
      },
    };
    return control;
  }

  #acceptInvitation(code: string): { kind: 'ok'; partner: Partner } | { kind: 'failed'; problem: Problem } {
    const inviter = this.#world.other(this);
    if (code !== `code-of-${inviter.name}`)
      return { kind: 'failed', problem: { code: 'pair/code-malformed', slots: {} } };
    introduce(this.#world);
    return { kind: 'ok', partner: inviter.partner };
  }

  async #call(partner: Partner, method: string, params: unknown): Promise<PartnerAnswer> {
    const world = this.#world;
    const other = world.other(this);
    if (partner.key !== other.key || world.isCut || !other.isUp)
      return { kind: 'unreachable', why: 'no route to host', mayHaveArrived: false };
    const known = other.config.partners.find((one) => one.key === this.key);
    if (known === undefined)
      return { kind: 'failed', problem: { code: 'pair/not-introduced', slots: { peer: this.address } } };
    const sent: unknown = JSON.parse(JSON.stringify(params ?? null));
    const process = other.#process;
    const answer = await Promise.race([handlePartnerCall(process.control, known, method, sent), process.died]);
    if (world.isCut) return { kind: 'unreachable', why: 'no answer', mayHaveArrived: true };
    if (method === 'hello' && answer.kind === 'ok' && other.features !== undefined) {
      return { kind: 'ok', value: { ...(answer.value as object), features: other.features } };
    }
    return JSON.parse(JSON.stringify(answer)) as PartnerAnswer;
  }

  #save(records: readonly TransactionRecord[]): void {
    for (const record of records) {
      if (record.state === 'forgotten') this.transactions.delete(record.id);
      else this.transactions.set(record.id, record);
    }
  }

  #enforce(change: ConfigChange): ConfigOutcome {
    const present = this.revisions.at(-1)!;
    if (change.base !== present.number) return { kind: 'stale', present: present.number };
    const faults = checkConfig(change.config);
    if (faults.length > 0) return { kind: 'bad', problems: faults.map(faultProblem) };
    const { by, what, config, transaction = null } = change;
    const revision: Revision = {
      number: present.number + 1,
      madeAt: this.#world.wallAt,
      by,
      what,
      transaction,
      config,
    };
    this.revisions.push(revision);
    this.changes.push(change);
    this.#save(change.transactions ?? []);
    const kept = new Set(config.scopes.map((scope) => scope.scopeId));
    for (const scope of present.config.scopes)
      if (!kept.has(scope.scopeId)) this.bindings.removePool(poolShapeOf(scope).scopeId);
    for (const scope of config.scopes) {
      const shape = poolShapeOf(scope);
      const given = change.given?.find((one) => one.scopeId === shape.scopeId);
      this.bindings.setPool(shape, given?.owner ?? 'free');
      if (given !== undefined) this.bindings.giveAll(given.scopeId, given.owner);
    }
    return { kind: 'ok', revision };
  }

  #status(name: string): EndpointStatus | undefined {
    if (!this.config.relationships.some((relationship) => relationship.name === name)) return undefined;
    return {
      name,
      state: this.states.get(name) ?? 'normal',
      stateSinceAt: 1 as EpochSec,
      partnerState: 'normal',
      partnerStateAt: 1 as EpochSec,
      isConnected: true,
      isCommunicating: true,
      skewSec: 0,
      unackedUpdates: 0,
      dirtyBindings: 0,
      partnerDownAt: this.downAt as EpochSec,
      recoverWaitUntilAt: 0 as EpochSec,
      autoPartnerDownAt: 0 as EpochSec,
      silentScopeIds: [...this.silent],
      lastReject: undefined,
      ...this.waits,
    };
  }
}

export function scope(third: number, more: Partial<Scope> = {}): Scope {
  return defaultScope({
    scopeId: `10.0.${third}.0`,
    subnetMask: '255.255.255.0',
    name: `net ${third}`,
    startRange: `10.0.${third}.10`,
    endRange: `10.0.${third}.200`,
    ...more,
  });
}

/** The two servers know each other's keys. */
export function introduce(world: FakeWorld): void {
  world.a.put((config) => ({ ...config, partners: [world.b.partner] }));
  world.b.put((config) => ({ ...config, partners: [world.a.partner] }));
}

/** Two introduced servers; the first has the scopes 10.0.1.0 to 10.0.`count`.0. */
export function twoServers(count = 2): FakeWorld {
  const world = new FakeWorld();
  introduce(world);
  const scopes = Array.from({ length: count }, (_, i) => scope(i + 1));
  world.a.put((config) => ({ ...config, scopes }));
  return world;
}

/** The same with the relationship `rel1` over 10.0.1.0, in Normal. */
export async function pairedServers(more: Record<string, unknown> = {}): Promise<FakeWorld> {
  const world = twoServers();
  const made = await world.a.run('failover.add-by-load-balance', {
    Name: 'rel1',
    PartnerServer: 'dhcp2',
    ScopeId: ['10.0.1.0'],
    ...more,
  });
  assert.deepEqual(made.kind === 'failed' ? made.problems : [], []);
  await world.rest();
  return world;
}

/** An active lease, as serving makes it. */
export function lease(server: FakeServer, address: string, hardware: number, more: Partial<Binding> = {}): void {
  const binding = server.bindings.find(parseIp4(address)!);
  assert.ok(binding !== undefined, `${address} is in no scope`);
  server.bindings.change({
    ...binding,
    state: 'active',
    hardware: Uint8Array.of(1, 2, 0, 0, 0, 0, hardware),
    leaseEndAt: (server.control.now().wallAt + 3600) as EpochSec,
    grantedHere: true,
    ...more,
  });
}
