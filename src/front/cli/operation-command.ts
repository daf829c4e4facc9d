/**
 * Makes one subcommand out of a row of the command table and the schemas of its operations: its options, its help, and what
 * the options given mean as parameters.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Operation } from '../../manage/operation.ts';
import type { CommandSpec, Given, LocalOption } from './command-spec.ts';
import { mergedParameters, type Parameter, parametersOf, readArgument } from './parameters.ts';
import { type RunOptions, runOperation } from './run-operation.ts';
import type { CliWorld } from './world.ts';

/** Flags of Windows's that have no off: their absence is the off. */
const SWITCHES = new Set([
  'Force',
  'PassThru',
  'Passthru',
  'AllLeases',
  'BadLeases',
  'All',
  'Brief',
  'Failover',
  'PartnerDown',
]);

type OptionValues = Readonly<Record<string, unknown>>;

export function addConnectionOptions(command: Command): Command {
  return command
    .optionsGroup('Server:')
    .option('--url <url>', 'address of the REST door, as http://127.0.0.1:8647 (TWINLEASE_URL)')
    .option('--token-file <file>', 'file with the token (TWINLEASE_TOKEN_FILE)')
    .option('--data-dir <directory>', 'data directory of a server on this machine; finds both (TWINLEASE_DATA_DIR)')
    .option('--json', 'print the answer as JSON, problems as JSON lines on stderr');
}

/** Adds the subcommand below `parent`, whose words it continues. */
export function addOperationCommand(
  parent: Command,
  spec: CommandSpec,
  operations: readonly Operation[],
  world: CliWorld,
): void {
  const word = spec.words.split(' ').at(-1) ?? spec.words;
  const command = parent.command(word).description(spec.summary ?? operations[0]?.summary ?? '');
  const parameters = mergedParameters(operations);
  const positional = (spec.positional ?? [])
    .map((name) => parameters.find((parameter) => parameter.name === name))
    .filter((parameter) => parameter !== undefined);
  for (const parameter of positional)
    command.argument(parameter.isList ? `[${parameter.option}...]` : `[${parameter.option}]`);
  if (spec.file !== undefined) {
    command.argument(spec.file.isOptional === true ? '[file]' : '<file>', 'file of JSON; - is the standard input');
  }
  command.optionsGroup('Options:');
  for (const parameter of parameters) {
    if (parameter.name !== spec.file?.parameter)
      for (const option of optionsOf(parameter, spec.erasable?.includes(parameter.name) === true))
        command.addOption(option);
  }
  for (const local of spec.local ?? []) command.addOption(localOption(local));
  const changes = operations.some((operation) => operation.changes);
  const asks = operations.some((operation) => operation.confirm !== undefined);
  if (changes) command.option('--what-if', 'only say what would happen');
  if (asks && !parameters.some((parameter) => parameter.name === 'Force'))
    command.option('--force', 'go ahead without asking');
  if (asks) command.option('-y, --yes', 'answer the question with yes, and force nothing else');
  addConnectionOptions(command);
  const examples = spec.examples ?? operations.flatMap((operation) => operation.examples);
  if (examples.length > 0)
    command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}\n`).join('')}`);
  command.action(async (...args: unknown[]) => {
    const values = command.opts<OptionValues>();
    const gatherer = { command, spec, operations, parameters, positional, world };
    const given = await gather(gatherer, args.slice(0, -2), values);
    const operation = chosen(gatherer, given, values);
    const options = runOptions(values);
    await runOperation(world, { operation, name: operation.name, params: given, options, view: spec.view });
  });
}

export function runOptions(values: OptionValues): RunOptions {
  const text = (name: string): string | undefined => (typeof values[name] === 'string' ? values[name] : undefined);
  const [url, tokenFile, dataDir] = [text('url'), text('tokenFile'), text('dataDir')];
  return {
    json: values['json'] === true,
    whatIf: values['whatIf'] === true,
    isAgreed: values['force'] === true || values['yes'] === true,
    ...(url === undefined ? {} : { url }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(dataDir === undefined ? {} : { dataDir }),
  };
}

function optionsOf(parameter: Parameter, isErasable: boolean): readonly Option[] {
  const name = `--${parameter.option}`;
  const description = describe(parameter);
  if (parameter.kind === 'secret') {
    return [
      new Option(name, `${description} Asked for on the terminal.`.trim()),
      new Option(`${name}-file <file>`, 'reads it from a file; - is the standard input'),
      ...(isErasable ? [new Option(`--no-${parameter.option}`, 'turns it off')] : []),
    ];
  }
  if (parameter.kind === 'flag' && !parameter.isList) {
    const option = new Option(name, description);
    return SWITCHES.has(parameter.name) ? [option] : [option, new Option(`--no-${parameter.option}`, 'the opposite')];
  }
  const word = valueWord(parameter);
  const option = new Option(`${name} <${word}${parameter.isList ? '...' : ''}>`, description);
  const options = [option.argParser((text: string, previous: unknown) => parseOne(parameter, text, previous))];
  return isErasable ? [...options, new Option(`--no-${parameter.option}`, 'the empty list')] : options;
}

function localOption({ name, choices, description }: LocalOption): Option {
  if (choices === undefined) return new Option(`--${name}`, description);
  return new Option(`--${name} <${name}>`, description).choices([...choices]);
}

function valueWord(parameter: Parameter): string {
  if (parameter.kind === 'duration') return 'time';
  if (parameter.kind === 'integer' || parameter.kind === 'number') return 'n';
  return parameter.kind === 'json' ? 'json' : 'text';
}

function describe(parameter: Parameter): string {
  const parts = [parameter.description.trim()];
  if (parameter.choices.length > 0) parts.push(`One of ${parameter.choices.join(', ')}.`);
  if (parameter.kind === 'duration') parts.push('Seconds, or like 90s, 1h, 8d, 01:00:00.');
  if (parameter.isRequired) parts.push('Required.');
  return parts.filter((part) => part !== '').join(' ');
}

function parseOne(parameter: Parameter, text: string, previous: unknown): unknown {
  const read = readArgument(parameter, text);
  if (read.kind === 'bad') throw new InvalidArgumentError(`${read.why}.`);
  if (!parameter.isList) return read.value[0];
  return Array.isArray(previous) ? [...previous, ...read.value] : read.value;
}

interface Gatherer {
  readonly command: Command;
  readonly spec: CommandSpec;
  readonly operations: readonly Operation[];
  readonly parameters: readonly Parameter[];
  readonly positional: readonly Parameter[];
  readonly world: CliWorld;
}

/** The parameters that the command line gave, by Windows's names. */
async function gather(gatherer: Gatherer, args: readonly unknown[], values: OptionValues): Promise<Given> {
  const { command, spec, parameters, positional, world } = gatherer;
  const given: Record<string, unknown> = {};
  for (const parameter of parameters) {
    const value = values[attributeOf(parameter.option)];
    if (parameter.kind === 'secret') {
      const secret = await readSecret(gatherer, parameter, values);
      if (secret !== undefined) given[parameter.name] = secret;
    } else if (parameter.isList && value === false) given[parameter.name] = [];
    else if (value !== undefined) given[parameter.name] = value;
  }
  positional.forEach((parameter, index) => {
    const texts = [args[index] ?? []].flat().map(String);
    if (texts.length === 0) return;
    if (given[parameter.name] !== undefined)
      command.error(`error: --${parameter.option} is given twice`, { exitCode: 2 });
    let value: unknown;
    for (const text of texts) value = parsePositional(command, parameter, text, value);
    given[parameter.name] = value;
  });
  const file = args[positional.length];
  if (spec.file !== undefined && typeof file === 'string') {
    given[spec.file.parameter] = await readJsonFile(gatherer, file);
  }
  for (const asked of spec.asked ?? []) {
    if (given[asked.parameter] === undefined && world.isInteractive)
      given[asked.parameter] = (await world.ask(asked.question)).trim();
  }
  return given;
}

function parsePositional(command: Command, parameter: Parameter, text: string, previous: unknown): unknown {
  try {
    return parseOne(parameter, text, previous);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    return command.error(`error: ${parameter.option} '${text}' is invalid. ${error.message}`, { exitCode: 2 });
  }
}

/** A secret on the command line would stand in the process list and in the shell's history, so there is no way to put it there. */
async function readSecret(
  gatherer: Gatherer,
  parameter: Parameter,
  values: OptionValues,
): Promise<string | null | undefined> {
  const { command } = gatherer;
  const asked = values[attributeOf(parameter.option)];
  const file = values[attributeOf(`${parameter.option}-file`)];
  if (asked === false) return null;
  if (typeof file !== 'string' && asked !== true) return undefined;
  const secret =
    typeof file === 'string'
      ? (await readFileOr(gatherer, file)).replace(/\r?\n$/, '')
      : await askTwice(gatherer, parameter);
  // To some operations an empty secret means none, which must not come about by an empty file.
  return secret === ''
    ? command.error(`error: the secret for --${parameter.option} is empty`, { exitCode: 2 })
    : secret;
}

async function askTwice({ command, world }: Gatherer, parameter: Parameter): Promise<string> {
  if (!world.isInteractive) {
    return command.error(`error: nobody can be asked for --${parameter.option} here; use --${parameter.option}-file`, {
      exitCode: 2,
    });
  }
  const first = await world.askSecret(`${parameter.name}: `);
  const again = await world.askSecret(`${parameter.name} again: `);
  return first === again ? first : command.error('error: the two differ', { exitCode: 2 });
}

async function readJsonFile(gatherer: Gatherer, path: string): Promise<unknown> {
  const text = await readFileOr(gatherer, path);
  try {
    return JSON.parse(text);
  } catch (error) {
    return gatherer.command.error(
      `error: ${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`,
      { exitCode: 2 },
    );
  }
}

async function readFileOr(gatherer: Gatherer, path: string): Promise<string> {
  try {
    return await gatherer.world.readText(path);
  } catch (error) {
    return gatherer.command.error(
      `error: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { exitCode: 2 },
    );
  }
}

/** The operation behind the command that fits what was given. */
function chosen(gatherer: Gatherer, given: Given, values: OptionValues): Operation {
  const { command, spec, operations } = gatherer;
  const local = Object.fromEntries((spec.local ?? []).map(({ name }) => [name, values[attributeOf(name)]]));
  const name = spec.choose?.(given, local);
  const operation = operations.find((candidate) => candidate.name === name) ?? operations[0];
  if (operation === undefined) return command.error(`error: nothing stands behind ${spec.words}`, { exitCode: 2 });
  const known = new Set(parametersOf(operation).map((parameter) => parameter.name));
  const stranger = gatherer.parameters.find(
    (parameter) => given[parameter.name] !== undefined && !known.has(parameter.name),
  );
  if (stranger !== undefined) {
    command.error(
      `error: --${stranger.option} does not go together with the other options (${operation.name} has no such parameter)`,
      { exitCode: 2 },
    );
  }
  return operation;
}

/** The attribute under which commander keeps an option's value. */
function attributeOf(option: string): string {
  return option.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
