/**
 * The command line of Twinlease: `serve` starts a server, every other command is a client of a running server's REST door. The
 * commands come from the table in `commands.ts` and the operations' own schemas. Commander is wrapped here and in
 * `operation-command.ts`, and is seen nowhere else.
 */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Operation } from '../../manage/operation.ts';
import { OPERATIONS } from '../../manage/registry.ts';
import { toInner } from '../rest/names.ts';
import { DEFAULT_DATA_DIRECTORY } from './client.ts';
import type { CommandSpec, Given } from './command-spec.ts';
import { COMMANDS, GROUPS } from './commands.ts';
import { addCompletionCommand } from './completion.ts';
import { EXIT, exitCodesText } from './exit-codes.ts';
import { addImport, IMPORT_OPERATIONS } from './import-command.ts';
import { addConnectionOptions, addOperationCommand, runOptions } from './operation-command.ts';
import { parametersOf } from './parameters.ts';
import { runOperation } from './run-operation.ts';
import { tableLines } from './table.ts';
import { type CliWorld, processWorld } from './world.ts';

/** What `serve` was asked for. */
export interface ServeOptions {
  /** Directory of state, configuration and identity. */
  readonly dataDir: string;
  readonly name?: string;
  /** Served interfaces; all of them when absent. */
  readonly interface?: string[];
  /** `ADDRESS:PORT` of a plain socket that serves relays only and needs no rights. */
  readonly relayOnly?: string;
  readonly partnerAddress: string;
  readonly partnerPort: number;
  readonly restAddress: string;
  readonly restPort: number;
  readonly logLevel: string;
  readonly drills: boolean;
}

/** What `restore` was asked for. */
export interface RestoreOptions {
  /** Directory that `backup` made. */
  readonly backup: string;
  readonly dataDir: string;
  /** Replaces what is there. */
  readonly force: boolean;
  readonly json: boolean;
}

/** What `sim` was asked for. */
export interface SimCommandOptions {
  readonly seed: number;
  readonly minutes: number;
  /** At most. */
  readonly clients: number;
  /** Longest time, in seconds of the simulated world, in which the last leases may end. */
  readonly drain: number;
  /** Many clients, short leases, a fault every few seconds. */
  readonly crowded: boolean;
  /** A situation by its name, in place of chance. */
  readonly scenario?: string;
  readonly mode: 'LoadBalance' | 'HotStandby';
  /** The server that it happens to. */
  readonly side: 'a' | 'b';
  /** A kept story, in place of both. */
  readonly file?: string;
  readonly story: boolean;
  /** True, or the file that the short story is written to. */
  readonly shrink?: boolean | string;
  readonly json: boolean;
}

/** The commands that are no clients of a running server. */
export interface CliHandlers {
  serve(options: ServeOptions): Promise<void>;
  restore(options: RestoreOptions): Promise<void>;
  sim(options: SimCommandOptions): Promise<void>;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** The whole command line; `parseAsync` runs it. The world and the operations are given by tests only. */
export function buildProgram(
  handlers: CliHandlers,
  world: CliWorld = processWorld(),
  operations: readonly Operation[] = OPERATIONS,
): Command {
  const program = new Command('twinlease')
    .description('The DHCPv4 server that comes in pairs.')
    .version(version(), '-V, --version', 'show the version')
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
      getOutHelpWidth: () => world.stdout.columns ?? 100,
      getErrHelpWidth: () => world.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride((error) => world.leave(error.exitCode === 0 ? EXIT.ok : EXIT.usage))
    .showHelpAfterError('(add --help to see what the command takes)')
    .addHelpText('after', '\n`twinlease help exit-codes` lists the exit codes.');
  addServe(program, handlers);
  addRestore(program, handlers, world);
  addSim(program, handlers);
  addOperationCommands(program, operations, world);
  addImport(program, world);
  addCall(program, operations, world);
  addCompletionCommand(program, world);
  addHelp(program, world);
  return program;
}

function addServe(program: Command, handlers: CliHandlers): void {
  program
    .command('serve')
    .description('Runs a server in the foreground.')
    .option('--data-dir <directory>', 'directory of state, configuration and identity', DEFAULT_DATA_DIRECTORY)
    .option('--name <name>', 'name of this server (default: the host name)')
    .option('--interface <name...>', 'served interfaces (default: all)')
    .addOption(
      new Option('--relay-only <address:port>', 'serve relays only, through a plain socket').conflicts('interface'),
    )
    .option('--partner-address <address>', 'where partners connect', '0.0.0.0')
    .option('--partner-port <port>', 'port where partners connect', readPort, 647)
    .option('--rest-address <address>', 'where the REST door listens', '127.0.0.1')
    .option('--rest-port <port>', 'port of the REST door; 0 takes a free one', readPort, 8647)
    .addOption(new Option('--log-level <level>', 'least severity that is logged').choices(LOG_LEVELS).default('info'))
    .option('--drills', 'let the REST door cut and heal the partner link, for demonstrations', false)
    .addHelpText(
      'after',
      '\nExamples:\n  twinlease serve --interface eth0 eth1\n  twinlease serve --data-dir ./a --relay-only 127.0.0.1:6767 --partner-port 6471 --rest-port 8647\n',
    )
    .action(async (options: ServeOptions) => {
      await handlers.serve(options);
    });
}

function addRestore(program: Command, handlers: CliHandlers, world: CliWorld): void {
  program
    .command('restore')
    .description('Puts a backup back on this machine, while the server is stopped.')
    .argument('<path>', 'directory that `twinlease backup` made')
    .option(
      '--data-dir <directory>',
      'directory of state, configuration and identity',
      world.env['TWINLEASE_DATA_DIR'] ?? DEFAULT_DATA_DIRECTORY,
    )
    .option('--force', 'replace what is there; it is kept aside', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      '\nAt its next start the server takes nothing of the copy for the present: it recovers from its partners first.\n\nExample:\n  twinlease restore /srv/backups/dhcp1-monday --force\n',
    )
    .action(async (backup: string, options: Omit<RestoreOptions, 'backup'>) => {
      await handlers.restore({ ...options, backup });
    });
}

function addSim(program: Command, handlers: CliHandlers): void {
  program
    .command('sim')
    .description('Runs the failover engine in a simulated world, and tells what happens.')
    .option('--seed <number>', 'decides everything', readCount, 1)
    .option('--minutes <number>', 'how long chance may do its worst', readCount, 60)
    .option('--clients <number>', 'how many clients there may be', readCount, 60)
    .option('--drain <seconds>', 'longest time for the last leases to end', readCount, 14_400)
    .option('--crowded', 'many clients, short leases, a fault every few seconds', false)
    .option('--scenario <name>', 'a named situation, in place of chance')
    .addOption(
      new Option('--mode <mode>', 'of the situation').choices(['LoadBalance', 'HotStandby']).default('LoadBalance'),
    )
    .addOption(new Option('--side <server>', 'the server that it happens to').choices(['a', 'b']).default('a'))
    .option('--file <file>', 'a kept story, in place of both')
    .option('--story', 'tell the whole run', false)
    .option('--shrink [file]', 'make a failing run as short as it goes, and keep it')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      '\nExamples:\n  twinlease sim --seed 7 --minutes 15 --story\n  twinlease sim --scenario "store lost while NORMAL" --story\n',
    )
    .action(async (options: SimCommandOptions) => {
      await handlers.sim(options);
    });
}

function readCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('A whole number is wanted.');
  return Number(text);
}

function readPort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return Number(text);
}

function addOperationCommands(program: Command, operations: readonly Operation[], world: CliWorld): void {
  for (const spec of commandSpecs(operations)) {
    const behind = spec.operations
      .map((name) => operations.find((operation) => operation.name === name))
      .filter((operation) => operation !== undefined);
    if (behind.length > 0) addOperationCommand(parentOf(program, spec.words), spec, behind, world);
  }
}

/** The rows of the table that have an operation behind them, and a row for every operation that the table does not name. */
export function commandSpecs(operations: readonly Operation[]): readonly CommandSpec[] {
  const named = new Set([...COMMANDS.flatMap((spec) => spec.operations), ...IMPORT_OPERATIONS]);
  const others = operations.filter((operation) => !named.has(operation.name));
  const known = new Set(operations.map((operation) => operation.name));
  return [
    ...COMMANDS.filter((spec) => spec.operations.some((name) => known.has(name))),
    ...others.map((operation) => ({ words: operation.name.replaceAll('.', ' '), operations: [operation.name] })),
  ];
}

/** The command group that the last word is put into, made where it is not there yet. */
function parentOf(program: Command, words: string): Command {
  let parent = program;
  for (const word of words.split(' ').slice(0, -1)) {
    const found = parent.commands.find((command) => command.name() === word);
    parent =
      found ??
      parent
        .command(word)
        .description(GROUPS[word] ?? word)
        .helpCommand(false);
  }
  return parent;
}

function addCall(program: Command, operations: readonly Operation[], world: CliWorld): void {
  const command = program
    .command('call')
    .description('Calls any operation by its name.')
    .argument('[operation]', 'name of the operation; without one, lists them all')
    .option('--params <json>', 'parameters as a JSON object')
    .option('--params-file <file>', 'parameters from a file of JSON; - is the standard input')
    .option('--what-if', 'only say what would happen')
    .option('--force', 'go ahead without asking, with the parameter Force where there is one')
    .option('-y, --yes', 'answer the question with yes, and force nothing else');
  addConnectionOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  twinlease call\n  twinlease call failover.get-by-name --params \'{"name":["Pair 1"]}\' --json\n',
    )
    .action(async (name: string | undefined, values: Readonly<Record<string, unknown>>) => {
      if (name === undefined) {
        world.stdout.write(operationList(operations, world.stdout.columns));
        return;
      }
      if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(name))
        command.error(`error: ${name} is not the name of an operation`, { exitCode: 2 });
      const operation = operations.find((candidate) => candidate.name === name);
      const given = await callParams(command, world, values);
      const params = operation === undefined ? given : innerParams(operation, given, values['force'] === true);
      await runOperation(world, { operation, name, params, options: runOptions(values), view: undefined });
    });
}

function operationList(operations: readonly Operation[], width: number | undefined): string {
  const rows = operations.map((operation) => [operation.name, operation.summary]);
  return tableLines([{ title: 'OPERATION' }, { title: 'SUMMARY' }], rows, width)
    .map((line) => `${line}\n`)
    .join('');
}

async function callParams(
  command: Command,
  world: CliWorld,
  values: Readonly<Record<string, unknown>>,
): Promise<Given> {
  const { params, paramsFile } = values;
  if (params !== undefined && paramsFile !== undefined)
    command.error('error: --params and --params-file exclude each other', { exitCode: 2 });
  try {
    const text = typeof paramsFile === 'string' ? await world.readText(paramsFile) : params;
    if (typeof text !== 'string') return {};
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    return command.error(
      `error: the parameters cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { exitCode: 2 },
    );
  }
  return command.error('error: the parameters must be a JSON object', { exitCode: 2 });
}

/** The question that an operation asks needs its parameters by their own names, whatever spelling they were given in. */
function innerParams(operation: Operation, given: Given, isForced: boolean): Given {
  const names = parametersOf(operation).map((parameter) => parameter.name);
  const params = toInner(given, names);
  return isForced && names.includes('Force') ? { ...params, Force: true } : params;
}

/** `help exit-codes` beside the help of every command. */
function addHelp(program: Command, world: CliWorld): void {
  program.helpCommand(false);
  program
    .command('help')
    .description('Shows help for a command, or the exit codes (`help exit-codes`).')
    .argument('[words...]')
    .action((words: readonly string[]) => {
      if (words.length === 1 && words[0] === 'exit-codes') {
        world.stdout.write(exitCodesText());
        return;
      }
      let command = program;
      for (const word of words) {
        const next = command.commands.find((candidate) => candidate.name() === word);
        if (next === undefined)
          return program.error(`error: there is no command '${words.join(' ')}'`, { exitCode: 2 });
        command = next;
      }
      command.outputHelp();
    });
}

/** The nearest package.json upwards is the program's own, from the sources' place as from the build's. */
function version(): string {
  for (let directory = new URL('.', import.meta.url); ; directory = new URL('..', directory)) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL('package.json', directory), 'utf8'));
      if (typeof found === 'object' && found !== null && 'version' in found) return String(found.version);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
    if (directory.pathname === '/') return 'unknown';
  }
}
