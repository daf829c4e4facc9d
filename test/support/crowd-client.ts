/** The other end of `crowd-process.ts`: starts a crowd in a namespace, gives it commands, and hears its reports. */
import type { ChildProcess } from 'node:child_process';
import process from 'node:process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { CrowdOptions } from '../../demo/crowd.ts';
import type { CrowdCommand, CrowdReport } from './crowd-process.ts';
import { eventually } from './eventually.ts';
import { type Host, startIn } from './network.ts';

/** A crowd that does not answer a command for so long is stuck. */
const ANSWER_MS = 20_000;

export class CrowdProcess {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: ((line: string) => void)[] = [];
  #trouble = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null || child.stderr === null) throw new Error('a crowd needs pipes');
    this.#lines = createInterface({ input: child.stdout }).on('line', (line) => this.#waiting.shift()?.(line));
    child.stderr.on('data', (text) => {
      this.#trouble += text;
    });
    // Written to after it has ended: the answer that does not come tells.
    child.stdin?.on('error', () => undefined);
  }

  static async open(host: Host, options: CrowdOptions): Promise<CrowdProcess> {
    const program = fileURLToPath(new URL('crowd-process.js', import.meta.url));
    const crowd = new CrowdProcess(startIn(host, [process.execPath, program, JSON.stringify(options)], 'pipe'));
    await crowd.report();
    return crowd;
  }

  async tell(command: CrowdCommand): Promise<CrowdReport> {
    const line = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the crowd does not answer: ${this.#trouble}`)), ANSWER_MS);
      this.#waiting.push((answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    });
    return JSON.parse(line) as CrowdReport;
  }

  report(): Promise<CrowdReport> {
    return this.tell({ kind: 'report' });
  }

  /** Resolves when so many clients hold a lease and nobody waits for an answer. */
  async bound(count: number, timeoutMs: number): Promise<CrowdReport> {
    let last: CrowdReport | undefined;
    return await eventually(`${count} clients hold a lease`, timeoutMs, async () => {
      last = await this.report();
      return last.bound === count && last.waiting === 0 ? last : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
    });
  }

  close(): void {
    this.#child.stdin?.end();
    this.#lines.close();
  }
}
