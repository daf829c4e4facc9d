/** The leases of an import: read piece by piece and handed to the server in batches, with a sign of how far it is. */
import type { Command } from 'commander';
import type { ImportedLease, ImportPlan, ReportLine } from '../../import/plan.ts';
import { readLeases, type SourceFormat } from '../../import/readers.ts';
import type { CallResult } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { shown, tableLines } from './table.ts';
import { isShape, type Shape } from './views.ts';
import type { CliWorld } from './world.ts';

/** The operation takes so many in one call. */
const BATCH_MAX = 5000;
/** Refusals that are kept for the answer; the rest is counted. */
const REFUSALS_MAX = 100_000;

export interface Refused {
  readonly ipAddress: string;
  readonly reason: string;
  readonly text: string;
}

export interface LeasesDone {
  /** Leases in the file, declined addresses among them. */
  read: number;
  declined: number;
  made: number;
  present: number;
  partnerUntold: number;
  readonly refused: Refused[];
  refusedMore: number;
  /** Leases were only counted. */
  readonly isTrial: boolean;
  /** The server's refusal of a whole batch; what came before is done. */
  stopped: Exclude<CallResult, { kind: 'ok' }> | undefined;
}

export interface LeaseRun {
  readonly command: Command;
  readonly world: CliWorld;
  /** Undefined only reads. */
  readonly call: ((params: Shape) => Promise<CallResult>) | undefined;
}

export interface LeaseFile {
  readonly format: SourceFormat;
  readonly file: string;
  readonly plan: ImportPlan;
}

/** Reads the file and hands over its leases; lines of the report go to `report`. */
export async function importLeases(run: LeaseRun, source: LeaseFile, report: ReportLine[]): Promise<LeasesDone> {
  const done: LeasesDone = {
    read: 0,
    declined: 0,
    made: 0,
    present: 0,
    partnerUntold: 0,
    refused: [],
    refusedMore: 0,
    isTrial: run.call === undefined,
    stopped: undefined,
  };
  const { format, file, plan } = source;
  let batch: ImportedLease[] = [];
  const flush = async (): Promise<void> => {
    if (run.call === undefined || batch.length === 0 || done.stopped !== undefined) return;
    take(done, await run.call({ Leases: batch }));
    batch = [];
    progress(run.world, done);
  };
  try {
    for await (const read of readLeases(format, run.world.readChunks(file), { file, plan })) {
      if (read.kind === 'report') {
        report.push(read.line);
        continue;
      }
      done.read++;
      if (read.lease.state === 'declined') done.declined++;
      if (run.call !== undefined) batch.push(read.lease);
      if (batch.length === BATCH_MAX) await flush();
      if (done.stopped !== undefined) break;
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    run.command.error(`error: ${shown(file)} cannot be read: ${why}`, { exitCode: EXIT.usage });
  }
  await flush();
  if (run.world.stderr.isTerminal) run.world.stderr.write('\r\u001b[K');
  return done;
}

function take(done: LeasesDone, result: CallResult): void {
  if (result.kind !== 'ok') {
    done.stopped = result;
    return;
  }
  const { value } = result.answer;
  if (!isShape(value)) return;
  done.made += Number(value['made']);
  done.present += Number(value['present']);
  done.partnerUntold += Number(value['partnerUntold']);
  for (const one of Array.isArray(value['refused']) ? value['refused'] : []) {
    if (done.refused.length >= REFUSALS_MAX) done.refusedMore++;
    else done.refused.push(one as Refused);
  }
}

function progress(world: CliWorld, done: LeasesDone): void {
  if (world.stderr.isTerminal) world.stderr.write(`\r\u001b[K${done.read} leases read, ${done.made} taken over`);
}

const REFUSALS_SHOWN_MAX = 50;

export function leasesLines(done: LeasesDone): string[] {
  const refused = done.refused.length + done.refusedMore;
  if (done.isTrial) return [`The lease file has ${done.read} leases, ${done.declined} of them declined addresses.`];
  const lines = [
    `Leases: ${done.read} read, ${done.made} taken over, ${done.present} were here already, ${refused} refused.`,
  ];
  if (done.partnerUntold > 0)
    lines.push(`${done.partnerUntold} of them run longer than the failover partner could be told yet.`);
  if (refused === 0) return lines;
  const rows = done.refused.slice(0, REFUSALS_SHOWN_MAX).map(({ ipAddress, text }) => [ipAddress, text]);
  lines.push(...tableLines([{ title: 'REFUSED' }, { title: 'BECAUSE' }], rows, undefined));
  if (refused > REFUSALS_SHOWN_MAX) lines.push(`and ${refused - REFUSALS_SHOWN_MAX} more; --json has them.`);
  return lines;
}
