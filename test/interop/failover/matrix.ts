/** Runs cases of the interworking matrix, several networks side by side, and says of each what was wrong. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CASES, type FailoverCase } from './cases.ts';
import { complaints } from './complaints.ts';
import { Lab, type Pairing } from './lab.ts';

export interface PlannedCase {
  readonly name: string;
  readonly pairing: Pairing;
  readonly what: FailoverCase;
}

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  readonly wrong: readonly string[];
  readonly seconds: number;
  /** Where its logs and its capture are, when they were kept. */
  readonly keptIn?: string;
}

export interface RunOptions {
  /** Networks at one time. */
  readonly concurrency: number;
  /** Logs and captures of failed cases are copied to a directory below the system's temporary one. */
  readonly keep: boolean;
  readonly onResult?: (result: CaseResult) => void;
}

const open = new Set<Lab>();

/** For an interrupted run: what it made of namespaces, and what runs in them, is removed. */
export function removeNetworks(): void {
  for (const lab of open) lab.machines.remove();
}

/** Every case in these pairings, by the part of the name. */
export function planned(pairings: readonly Pairing[], filter = ''): PlannedCase[] {
  return CASES.flatMap((what) =>
    pairings.map((pairing) => ({ name: `${what.name} ${pairing}`, pairing, what })),
  ).filter(({ name }) => name.includes(filter));
}

export async function runCases(plan: readonly PlannedCase[], options: RunOptions): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  const waiting = [...plan];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await runCase(next, options.keep);
      options.onResult?.(result);
      results.push(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, plan.length) }, worker));
  return results;
}

export async function runCase({ name, pairing, what }: PlannedCase, keep: boolean): Promise<CaseResult> {
  const startedMs = performance.now();
  const wrong: string[] = [];
  let keptIn: string | undefined;
  const lab = new Lab(pairing, what.setup);
  open.add(lab);
  try {
    await lab.prepare();
    await what.run(lab);
    wrong.push(...(await lab.settled()));
    wrong.push(...(await lab.frames(what.expects ?? [])));
  } catch (error) {
    wrong.push(error instanceof Error ? error.message : String(error));
  } finally {
    for (const server of lab.servers) if (server.make === 'isc') wrong.push(...complaints(what.name, server.log()));
    if (keep && wrong.length > 0) keptIn = kept(lab, name);
    await lab.close();
    lab.machines.remove();
    open.delete(lab);
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  return { name, passed: wrong.length === 0, wrong, seconds, ...(keptIn === undefined ? {} : { keptIn }) };
}

function kept(lab: Lab, name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `twinlease-interop-${name.replaceAll(/\W+/g, '-')}-`));
  cpSync(lab.machines.directory, directory, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  for (const server of lab.servers) writeFileSync(join(directory, `${server.place.role}.log`), server.log());
  return directory;
}

/** Of the programs that took part. */
export function versions(): Readonly<Record<string, string>> {
  return { node: process.version, dhcpd: versionOf('dhcpd', '--version'), tshark: versionOf('tshark', '--version') };
}

function versionOf(program: string, argument: string): string {
  try {
    const output = execFileSync('sh', ['-c', `${program} ${argument} 2>&1`], { encoding: 'utf8' });
    return /\d+\.\d+(\.\d+)?\S*/.exec(output)?.[0] ?? 'unknown';
  } catch {
    return 'missing';
  }
}
