/** One server as a process of its own, as an administrator would run it: started, killed, started again, asked over REST. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** From the start of the process to its `ready` line. */
const READY_MS = 30_000;

export interface ServerProcessOptions {
  readonly name: string;
  readonly dataDirectory: string;
  /** ADDRESS:PORT of relay-only service; port 0 is chosen by the system and kept over restarts. */
  readonly relayOnly?: string;
  /** Served interfaces, where the process has the rights. */
  readonly interfaces?: readonly string[];
  readonly partnerAddress: string;
  readonly restAddress?: string;
  /** Runs the process inside, e.g. `['ip', 'netns', 'exec', 'a']`. */
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Drills (cut the link) are offered over REST. */
  readonly drills?: boolean;
}

export interface RestAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export class ServerProcess {
  readonly options: ServerProcessOptions;
  restUrl = '';
  partnerPort = 0;
  dhcpPort = 0;
  key = '';
  /** The last lines of its log, for a failing test. */
  readonly lines: string[] = [];
  /** Its log lines of the severity `error`, from the first start on. */
  readonly errors: string[] = [];
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);

  constructor(options: ServerProcessOptions) {
    this.options = options;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const { options } = this;
    const args = [
      '--enable-source-maps',
      fileURLToPath(new URL('../src/main.js', import.meta.url)),
      'serve',
      '--name',
      options.name,
      '--data-dir',
      options.dataDirectory,
    ];
    args.push(
      '--partner-address',
      options.partnerAddress,
      '--partner-port',
      String(this.partnerPort),
      '--rest-address',
      options.restAddress ?? '127.0.0.1',
      '--rest-port',
      '0',
    );
    if (options.relayOnly !== undefined)
      args.push(
        '--relay-only',
        this.dhcpPort === 0 ? options.relayOnly : `${options.relayOnly.split(':')[0]}:${this.dhcpPort}`,
      );
    for (const name of options.interfaces ?? []) args.push('--interface', name);
    if (options.drills === true) args.push('--drills');
    const [command = process.execPath, ...before] = [...(options.prefix ?? []), process.execPath];
    const child = spawn(command, [...before, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.environment },
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', (status) => resolve(status)));
    createInterface({ input: child.stderr }).on('line', (line) => this.#note(line));
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${options.name} was not ready in time\n${this.lines.join('\n')}`)),
        READY_MS,
      );
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#note(line);
        if (this.#takeReady(line)) {
          clearTimeout(timer);
          resolve();
        }
      });
      child.once('exit', (status, signal) => {
        clearTimeout(timer);
        reject(new Error(`${options.name} ended at start (${status ?? signal})\n${this.lines.join('\n')}`));
      });
    });
  }

  /** Without a word, as a power cut would. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** In order. */
  async stop(): Promise<number | null> {
    this.#child?.kill('SIGTERM');
    return await this.#exited;
  }

  /** Resolves with the exit status when the process ends by itself. */
  ended(): Promise<number | null> {
    return this.#exited;
  }

  get token(): string {
    return readFileSync(join(this.options.dataDirectory, 'identity', 'rest-token'), 'utf8').trim();
  }

  /** Calls an operation by its path, e.g. `failover/add-by-load-balance`. */
  async call(path: string, body: unknown = {}): Promise<RestAnswer> {
    const response = await fetch(`${this.restUrl}/api/v1/${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as RestAnswer['body'] };
  }

  /** The same, and the value, which the caller knows the shape of; a refusal throws its text. */
  async ask<T = unknown>(path: string, body: unknown = {}): Promise<T> {
    const answer = await this.call(path, body);
    if (answer.status !== 200)
      throw new Error(`${this.options.name} ${path}: ${answer.body['code']}: ${answer.body['detail']}`);
    return answer.body['value'] as T;
  }

  #note(line: string): void {
    this.lines.push(line);
    if (this.lines.length > 200) this.lines.shift();
    // Pino's levels: 50 is error, 60 is fatal.
    if (/^\{"level":[56]0,/.test(line)) this.errors.push(line);
  }

  #takeReady(line: string): boolean {
    if (!line.includes('"msg":"ready"')) return false;
    const ready = JSON.parse(line) as { restUrl: string; partnerPort: number; dhcpPort: number; key: string };
    this.restUrl = ready.restUrl;
    this.partnerPort = ready.partnerPort;
    this.dhcpPort = ready.dhcpPort;
    this.key = ready.key;
    return true;
  }
}
