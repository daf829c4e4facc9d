/** A whole pair on loopback: two server processes with their own stores, introduced, with scopes, joined by the public API. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from './server-process.ts';

export interface DemoScope {
  readonly scopeId: string;
  readonly subnetMask: string;
  readonly startRange: string;
  readonly endRange: string;
  readonly name: string;
  readonly leaseDuration: number;
}

export interface PairOptions {
  readonly relationship: string;
  readonly scopes: readonly DemoScope[];
  readonly mcltSec: number;
  readonly mode: 'LoadBalance' | 'HotStandby';
  readonly environment?: Readonly<Record<string, string>>;
}

export class DemoPair {
  readonly directory: string;
  readonly alpha: ServerProcess;
  readonly beta: ServerProcess;

  private constructor(directory: string, environment: Readonly<Record<string, string>>) {
    this.directory = directory;
    const common = { environment, drills: true };
    this.alpha = new ServerProcess({
      ...common,
      name: 'alpha',
      dataDirectory: join(directory, 'alpha'),
      relayOnly: '127.0.0.1:0',
      partnerAddress: '127.0.0.1',
    });
    this.beta = new ServerProcess({
      ...common,
      name: 'beta',
      dataDirectory: join(directory, 'beta'),
      relayOnly: '127.0.0.2:0',
      partnerAddress: '127.0.0.2',
    });
  }

  /** Started, introduced and joined; `say` hears each step. */
  static async open(options: PairOptions, say: (line: string) => void = () => undefined): Promise<DemoPair> {
    const pair = new DemoPair(mkdtempSync(join(tmpdir(), 'twinlease-demo-')), options.environment ?? {});
    try {
      await Promise.all([pair.alpha.start(), pair.beta.start()]);
      say(`two servers run: alpha (pid ${pair.alpha.pid}) and beta (pid ${pair.beta.pid})`);
      await pair.#join(options, say);
      return pair;
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  get servers(): readonly ServerProcess[] {
    return [this.alpha, this.beta];
  }

  /** Both servers of the relationship are in NORMAL. */
  async isNormal(relationship: string): Promise<boolean> {
    for (const server of this.servers) {
      if (!server.isRunning) return false;
      const status = await server.ask<readonly { readonly name: string; readonly state: string }[]>(
        'failover/get-by-name',
        { name: [relationship] },
      );
      if (status[0]?.state !== 'Normal') return false;
    }
    return true;
  }

  async close(): Promise<void> {
    for (const server of this.servers) if (server.isRunning) await server.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #join(options: PairOptions, say: (line: string) => void): Promise<void> {
    const { code } = await this.alpha.ask<{ readonly code: string }>('pair/invite');
    await this.beta.ask('pair/accept', { code, server: `127.0.0.1:${this.alpha.partnerPort}` });
    say('introduced with a one-time code: they know each other by key now');
    for (const { scopeId: _scopeId, ...scope } of options.scopes) await this.alpha.ask('scope/add', scope);
    const shared = {
      name: options.relationship,
      partnerServer: 'beta',
      scopeId: options.scopes.map((scope) => scope.scopeId),
      maxClientLeadTime: options.mcltSec,
    };
    if (options.mode === 'LoadBalance')
      await this.alpha.ask('failover/add-by-load-balance', { ...shared, loadBalancePercent: 50 });
    else await this.alpha.ask('failover/add-by-hot-standby', { ...shared, reservePercent: 10 });
    say(
      `joined by ${options.mode === 'LoadBalance' ? 'AddByLoadBalance' : 'AddByHotStandby'} over ${options.scopes.length} scopes`,
    );
  }
}
