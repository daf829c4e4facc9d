/** What the takeover comparison wants of a product: a pair of servers on two given machines, with its own default settings. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Machines } from '../support/namespace-pair.ts';
import type { Host } from '../support/network.ts';
import { inNamespace } from '../support/network.ts';

/** The scope that every product serves. */
export interface ScopeSetup {
  readonly scopeId: string;
  readonly prefixLength: number;
  readonly subnetMask: string;
  readonly startRange: string;
  readonly endRange: string;
  readonly size: number;
}

/** The pair that runs. The first machine is the primary, or the active server where the mode has one. */
export interface RunningPair {
  /** Kills all processes of the first machine, without a word. */
  killFirst(): Promise<void> | void;
  close(): Promise<void> | void;
}

export interface Product {
  readonly name: string;
  /** Settings of interest, for the reader of the result. */
  readonly settings: string;
  /** Programs that must be there. */
  readonly programs: readonly string[];
  /** Whether the results are held to the promises of this project. */
  readonly isOurs: boolean;
  /** Resolves when both servers serve and have shared out the addresses. */
  open(machines: Machines, scope: ScopeSetup): Promise<RunningPair>;
}

/** A foreign server: its output goes to a file, where its state is read from. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #exited: Promise<void>;

  constructor(
    host: Host,
    command: readonly string[],
    logPath: string,
    environment: Readonly<Record<string, string>> = {},
  ) {
    const log = openSync(logPath, 'w');
    const [program = '', ...args] = [...inNamespace(host), ...command];
    this.#child = spawn(program, args, { stdio: ['ignore', log, log], env: { ...process.env, ...environment } });
    closeSync(log);
    this.#logPath = logPath;
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()));
  }

  log(): string {
    return readFileSync(this.#logPath, 'utf8');
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** In order. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    await this.#exited;
  }
}
