/**
 * `twinlease import`: reads the files of another DHCP server in this process, shows what becomes of every statement, and hands the
 * result to the server: the configuration, then the leases, then the relationships, in this order so that a partner never hears of a
 * scope whose leases are not here yet.
 */
import { dirname, isAbsolute, join } from 'node:path';
import { type Command, Option } from 'commander';
import type { ImportPlan, ReportLine } from '../../import/plan.ts';
import { detectFormat, readConfiguration, SOURCE_FORMATS, type SourceFormat } from '../../import/readers.ts';
import type { ProblemJson } from '../rest/problem-json.ts';
import { type CallResult, type ConnectionOptions, callServer } from './client.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { importLeases, type LeasesDone, leasesLines } from './import-leases.ts';
import { planLine, reportLines } from './import-report.ts';
import { addConnectionOptions, runOptions } from './operation-command.ts';
import { problemLines, refusalText } from './problem-text.ts';
import { withProgress } from './progress.ts';
import { shown } from './table.ts';
import { isShape, type Shape } from './views.ts';
import type { CliWorld } from './world.ts';

/** The operations behind the command, which have no commands of their own. */
export const IMPORT_OPERATIONS: readonly string[] = ['import.configuration', 'import.leases'];

const EXISTING: Readonly<Record<string, string>> = { refuse: 'Refuse', keep: 'Keep', replace: 'Replace' };
/** A configuration is read whole. */
const CONFIGURATION_CHARACTERS_MAX = 64 * 1024 * 1024;

interface ImportOptions {
  readonly format?: SourceFormat;
  readonly check?: boolean;
  readonly whatIf?: boolean;
  readonly existing: string;
  readonly relationships?: boolean;
  readonly report?: string;
  readonly brief?: boolean;
  readonly json?: boolean;
}

export function addImport(program: Command, world: CliWorld): void {
  const command = program
    .command('import')
    .description('Takes over configuration and leases from the files of ISC dhcpd, Kea or a Windows DHCP server.')
    .argument('<file>', 'dhcpd.conf, kea-dhcp4.conf, or the XML of Export-DhcpServer; - is the standard input')
    .argument('[leases]', 'dhcpd.leases, kea-leases4.csv, or the same XML')
    .optionsGroup('Options:')
    .addOption(
      new Option('--format <format>', 'what the file is (default: by its contents)').choices([...SOURCE_FORMATS]),
    )
    .option('--check', 'only read the files and print the report; no server is needed')
    .option('--what-if', 'only say what would happen')
    .addOption(
      new Option('--existing <policy>', 'what becomes of scopes and options that are here with other contents')
        .choices(Object.keys(EXISTING))
        .default('refuse'),
    )
    .option('--relationships', 'make the failover relationships too')
    .option('--report <file>', 'write the whole report to a file')
    .option('--brief', 'print only what was not carried over as it is');
  addConnectionOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  twinlease import /etc/dhcp/dhcpd.conf --check\n  twinlease import /etc/dhcp/dhcpd.conf --what-if --report report.txt\n  twinlease import /etc/dhcp/dhcpd.conf /var/lib/dhcp/dhcpd.leases --relationships\n',
    )
    .action(async (file: string, leases: string | undefined, values: ImportOptions) => {
      const run = { command, world, options: values, connection: runOptions({ ...values }) };
      await runImport(run, file, leases);
    });
}

interface Run {
  readonly command: Command;
  readonly world: CliWorld;
  readonly options: ImportOptions;
  readonly connection: ConnectionOptions;
}

async function runImport(run: Run, file: string, leases: string | undefined): Promise<void> {
  const { world, options } = run;
  const text = await readWhole(run, file);
  const format = options.format ?? detectFormat(text);
  const read = await readConfiguration(format, text, { file, readInclude: (path) => readInclude(world, file, path) });
  if (read.kind === 'bad') {
    const place = read.line > 0 ? `${file}, line ${read.line}` : file;
    run.command.error(`error: ${shown(`${place}: ${read.why}`)}`, { exitCode: EXIT.usage });
  }
  const done: Done = {
    plan: read.plan,
    configuration: undefined,
    whatIf: undefined,
    leases: undefined,
    report: [...read.plan.report],
  };
  if (options.check !== true && !(await hand(run, done, format, leases))) return;
  if (options.check === true && leases !== undefined)
    done.leases = await importLeases(
      { ...run, call: undefined },
      { format, file: leases, plan: read.plan },
      done.report,
    );
  await show(run, done);
}

interface Done {
  readonly plan: ImportPlan;
  configuration: Shape | undefined;
  whatIf: readonly string[] | undefined;
  leases: LeasesDone | undefined;
  /** Of the configuration, then of the leases. */
  readonly report: ReportLine[];
}

/** Hands everything to the server; false when it refused, which has been shown. */
async function hand(run: Run, done: Done, format: SourceFormat, leases: string | undefined): Promise<boolean> {
  const { world, options } = run;
  const isWhatIf = options.whatIf === true;
  const isLater = leases !== undefined && !isWhatIf;
  const first = await callConfiguration(run, done.plan, options.relationships === true && !isLater);
  if (!take(run, done, first)) return false;
  if (leases !== undefined) {
    const call = isWhatIf
      ? undefined
      : async (params: Shape): Promise<CallResult> =>
          await callServer(world, run.connection, { operation: { name: 'import.leases' }, params, whatIf: false });
    done.leases = await importLeases({ ...run, call }, { format, file: leases, plan: done.plan }, done.report);
    if (done.leases.stopped !== undefined) {
      await show(run, done);
      return refusal(run, done.leases.stopped);
    }
  }
  if (!isLater || options.relationships !== true) return true;
  const made = done.configuration;
  const second = await callConfiguration(run, done.plan, true);
  if (!take(run, done, second)) return false;
  done.configuration = { ...made, relationships: done.configuration?.['relationships'] };
  return true;
}

async function callConfiguration(run: Run, plan: ImportPlan, withRelationships: boolean): Promise<CallResult> {
  const { world, options, connection } = run;
  const { report: _report, source: _source, ...parts } = plan;
  const params = { Plan: parts, Existing: EXISTING[options.existing], Relationships: withRelationships };
  const call = { operation: { name: 'import.configuration' }, params, whatIf: options.whatIf === true };
  return await withProgress(world, 'import.configuration', callServer(world, connection, call));
}

/** Keeps what the server answered; false for a refusal. */
function take(run: Run, done: Done, result: CallResult): boolean {
  if (result.kind !== 'ok') return refusal(run, result);
  const { value, warnings, errors } = result.answer;
  for (const warning of warnings) run.world.stderr.write(problemOutput(run, 'warning', warning));
  for (const error of errors) run.world.stderr.write(problemOutput(run, 'error', error));
  if (errors.length > 0) run.world.setExitCode(EXIT.partial);
  if (isShape(value) && Array.isArray(value['whatIf'])) done.whatIf = value['whatIf'].map(String);
  else if (isShape(value)) done.configuration = value;
  return true;
}

function problemOutput(run: Run, label: 'error' | 'warning', problem: ProblemJson): string {
  return run.options.json === true ? `${JSON.stringify(problem)}\n` : problemLines(label, problem);
}

function refusal({ world, options }: Run, result: Exclude<CallResult, { kind: 'ok' }>): false {
  if (result.kind === 'refused') {
    world.stderr.write(options.json === true ? `${JSON.stringify(result.problem)}\n` : refusalText(result.problem));
    world.setExitCode(exitCodeOf(result.status, result.problem.code));
  } else {
    world.stderr.write(`error: ${shown(result.why)}\n  do:   ${shown(result.action)}\n`);
    world.setExitCode(result.kind === 'no-token' ? EXIT.notPermitted : EXIT.unreachable);
  }
  return false;
}

async function show(run: Run, done: Done): Promise<void> {
  const { world, options } = run;
  const { plan, report, leases } = done;
  if (options.report !== undefined) await writeReport(run, options.report, report);
  if (leases !== undefined && leases.refused.length > 0) world.setExitCode(EXIT.partial);
  if (options.json === true) {
    const { report: _report, ...rest } = plan;
    const answer = {
      plan: rest,
      report,
      ...(done.whatIf === undefined ? {} : { whatIf: done.whatIf }),
      ...(done.configuration === undefined ? {} : { configuration: done.configuration }),
      ...(leases === undefined ? {} : { leases: { ...leases, stopped: undefined } }),
    };
    world.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
    return;
  }
  const lines = reportLines(report, { width: world.stdout.columns, isShort: options.brief === true });
  lines.push(planLine(plan));
  for (const line of done.whatIf ?? []) lines.push(`What if: ${shown(line)}`);
  if (done.configuration !== undefined) lines.push(...configurationLines(done.configuration));
  if (leases !== undefined) lines.push(...leasesLines(leases));
  if (plan.relationships.length > 0 && options.relationships !== true)
    lines.push('The failover relationships were not made: add --relationships to make them.');
  world.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

async function writeReport(
  { command, world, options }: Run,
  path: string,
  report: readonly ReportLine[],
): Promise<void> {
  const text =
    options.json === true
      ? JSON.stringify(report, null, 2)
      : reportLines(report, { width: undefined, isShort: false }).join('\n');
  try {
    await world.writeText(path, `${text}\n`);
  } catch (error) {
    command.error(`error: ${path} cannot be written: ${messageOf(error)}`, { exitCode: EXIT.usage });
  }
}

function configurationLines(configuration: Shape): string[] {
  const count = (name: string): number => (Array.isArray(configuration[name]) ? configuration[name].length : 0);
  const lines = [
    `Revision ${String(configuration['revision'])}: ${count('scopes')} scopes with ${String(configuration['reservations'])} reservations, ` +
      `${count('serverOptions')} options of the server, ${count('optionDefinitions')} option definitions, ` +
      `${count('serverSettings')} settings, ${count('relationships')} relationships.`,
  ];
  const kept = configuration['kept'];
  if (Array.isArray(kept) && kept.length > 0)
    lines.push(`Kept as they were: ${kept.map((one) => shown(String(one))).join(', ')}.`);
  return lines;
}

async function readWhole({ command, world }: Run, path: string): Promise<string> {
  const chunks: string[] = [];
  let length = 0;
  try {
    for await (const chunk of world.readChunks(path)) {
      length += chunk.length;
      if (length > CONFIGURATION_CHARACTERS_MAX) throw new Error('it is too large to be a configuration');
      chunks.push(chunk);
    }
  } catch (error) {
    command.error(`error: ${shown(path)} cannot be read: ${messageOf(error)}`, { exitCode: EXIT.usage });
  }
  return chunks.join('');
}

/** A file that is not there is a line of the report; a name without a path is sought beside the including file too. */
async function readInclude(world: CliWorld, file: string, path: string): Promise<string | undefined> {
  const candidates = isAbsolute(path) ? [path] : [path, join(dirname(file), path)];
  for (const candidate of candidates) {
    try {
      return await world.readText(candidate);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
