/** Real servers in the process of the test: own directories, own partner doors on loopback, the operations behind them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { changesOf } from '../../src/manage/changes.ts';
import { invoke } from '../../src/manage/define.ts';
import { Follower } from '../../src/manage/follow.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { handlePartnerCall } from '../../src/manage/partner-methods.ts';
import { operationByName } from '../../src/manage/registry.ts';
import { openDgramPacketIo } from '../../src/net/dgram-packet-io.ts';
import type { Caller, Control } from '../../src/server/control.ts';
import { directoriesBelow, Server } from '../../src/server/server.ts';
import { controlOf } from '../../src/server/server-control.ts';
import { parseIp4 } from '../../src/wire/units.ts';

export const ADMINISTRATOR: Caller = { account: 'admin', role: 'administrator', door: 'cli', address: '127.0.0.1' };

/** Directory of its own for one test. */
export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'twinlease-server-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export class LiveServer {
  readonly name: string;
  readonly directory: string;
  #server: Server | undefined;
  #control: Control | undefined;
  #port = 0;

  constructor(name: string, directory: string) {
    this.name = name;
    this.directory = directory;
  }

  /** Starts one and stops it after the test. */
  static async open(t: TestContext, name: string): Promise<LiveServer> {
    const parent = mkdtempSync(join(tmpdir(), 'twinlease-server-'));
    const live = new LiveServer(name, join(parent, name));
    t.after(async () => {
      await live.stop();
      rmSync(parent, { recursive: true, force: true });
    });
    await live.start();
    return live;
  }

  get server(): Server {
    assert.ok(this.#server !== undefined, `${this.name} runs`);
    return this.#server;
  }

  get control(): Control {
    assert.ok(this.#control !== undefined, `${this.name} runs`);
    return this.#control;
  }

  async start(): Promise<void> {
    const address = parseIp4('127.0.0.1')!;
    const server = await Server.open({
      ...directoriesBelow(this.directory),
      name: this.name,
      partnerAddress: '127.0.0.1',
      // A server keeps its port over a restart, as its partner knows it by that.
      partnerPort: this.#port,
      openPacketIo: () => openDgramPacketIo({ address, port: 0 }),
      relayServerAddress: address,
      logLevel: 'silent',
      end: (_status, why) => {
        throw new Error(`${this.name} ended: ${why}`);
      },
    });
    const control = controlOf(server);
    const follower = new Follower(control);
    server.onPartnerCall = (partner, method, params) => handlePartnerCall(control, partner, method, params);
    server.onConfigChanged = () => follower.onConfigChanged();
    server.onCommunicating = (relationship) => follower.onRelationshipCommunicating(relationship);
    server.onTick = () => {
      follower.tick(control.now());
      changesOf(control).tick();
    };
    this.#port = server.doorPort;
    this.#server = server;
    this.#control = control;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    this.#control = undefined;
  }

  /** Runs an operation as an administrator would. */
  async run(name: string, params: unknown = {}, whatIf = false): Promise<Outcome<unknown>> {
    const operation = operationByName(name);
    assert.ok(operation !== undefined, `there is an operation ${name}`);
    return await invoke({ control: this.control, caller: ADMINISTRATOR, operation, params, whatIf });
  }

  /** The same, where it has to succeed. */
  async ask<T>(name: string, params: unknown = {}): Promise<T> {
    const outcome = await this.run(name, params);
    assert.equal(outcome.kind, 'ok', `${name}: ${JSON.stringify(outcome)}`);
    return (outcome as Extract<Outcome<unknown>, { kind: 'ok' }>).value as T;
  }
}

/** Two servers that were introduced to each other. */
export async function introduced(t: TestContext): Promise<{ readonly a: LiveServer; readonly b: LiveServer }> {
  const [a, b] = await Promise.all([LiveServer.open(t, 'alpha'), LiveServer.open(t, 'beta')]);
  const { Code } = await a.ask<{ Code: string }>('pair.invite');
  await b.ask('pair.accept', { Code, Server: `127.0.0.1:${a.server.doorPort}` });
  return { a, b };
}

/** The code of the first problem of an outcome that failed. */
export function refusal(outcome: Outcome<unknown>): string | undefined {
  return outcome.kind === 'failed' ? outcome.problems[0]?.code : undefined;
}

/** A scope of 100 addresses, shared by the two in load-balance mode, both in NORMAL. */
export const SHARED = { Name: 'pair', ScopeId: '10.77.0.0' } as const;
export async function related(t: TestContext): Promise<{ readonly a: LiveServer; readonly b: LiveServer }> {
  const { a, b } = await introduced(t);
  await a.ask('scope.add', {
    Name: 'lan',
    StartRange: '10.77.0.10',
    EndRange: '10.77.0.109',
    SubnetMask: '255.255.255.0',
  });
  await a.ask('failover.add-by-load-balance', {
    Name: SHARED.Name,
    PartnerServer: 'beta',
    ScopeId: [SHARED.ScopeId],
    MaxClientLeadTime: 5,
  });
  return { a, b };
}

export function stateOf(live: LiveServer): string | undefined {
  return live.control.endpointStatus(SHARED.Name)?.state;
}
