/** The sample files of the reader's tests, and how they are read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ReadConf, readDhcpdConf } from '../../../src/import/isc/read-conf.ts';
import type { ImportPlan, ReportLine } from '../../../src/import/plan.ts';

export const FILES = join(process.cwd(), 'test', 'import', 'isc', 'files');
export const SAMPLES = ['office', 'boot-lab', 'campus'] as const;

export function sampleText(name: string): string {
  return readFileSync(join(FILES, name), 'utf8');
}

export async function readSample(name: string): Promise<ImportPlan> {
  return planOf(await read(sampleText(`${name}.conf`), `${name}.conf`));
}

export async function read(text: string, file = 'dhcpd.conf'): Promise<ReadConf> {
  return await readDhcpdConf(text, {
    file,
    readInclude: async (path) => {
      try {
        return sampleText(path);
      } catch {
        return undefined;
      }
    },
  });
}

export async function plan(text: string): Promise<ImportPlan> {
  return planOf(await read(text));
}

function planOf(found: ReadConf): ImportPlan {
  if (found.kind === 'bad') throw new Error(`line ${found.line}: ${found.why}`);
  return found.plan;
}

/** The line of the report for the first statement that begins so. */
export function lineFor({ report }: ImportPlan, start: string): ReportLine {
  const found = report.find((line) => line.statement.startsWith(start));
  if (found === undefined) throw new Error(`no line for ${start}`);
  return found;
}

export function textHex(text: string): string {
  return Buffer.from(text).toString('hex');
}
