/**
 * The same call through the REST door, through the command that people type, and through `call` gives the same refusal, and the
 * same value where it succeeds.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { WINDOWS_WITHOUT_CAUSE } from '../../src/core/problems/catalogue.ts';
import type { CommandSpec } from '../../src/front/cli/command-spec.ts';
import { parametersOf } from '../../src/front/cli/parameters.ts';
import { commandSpecs } from '../../src/front/cli/program.ts';
import { outerName } from '../../src/front/rest/names.ts';
import type { Operation } from '../../src/manage/operation.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';
import { ERROR_CASES, type ErrorCase } from '../manage/error-cases.ts';
import { type FakeWorld, pairedServers } from '../manage/fake-control.ts';
import { type CliResult, runCli } from './cli-world.ts';
import { ADMINISTRATOR_TOKEN, openDoor, READER_TOKEN } from './door.ts';

type Params = Readonly<Record<string, unknown>>;

/** What the grammar of the friendly command has no way to say: a list without items, an empty secret, a number out of range. */
const NOT_TYPABLE: ReadonlySet<string> = new Set([
  'adding with no scope',
  'adding with a lead time beyond 32 bits',
  'adding with an empty secret',
  'adding with a parameter that does not exist',
  'adding no scope',
  'removing nothing',
]);

for (const given of ERROR_CASES) {
  test(`${given.messageId} (${given.name}) is the same through every door`, async (t) => {
    const rest = await throughRest(t, await given.world(), given);
    assert.equal(rest['messageId'], given.messageId, JSON.stringify(rest));
    const lines = NOT_TYPABLE.has(given.name) ? [callLine(given)] : [commandLine(given), callLine(given)];
    for (const args of lines) {
      const cli = await throughCli(t, await given.world(), args, isReader(given));
      assert.equal(cli.code, isReader(given) ? 5 : 1, `${args.join(' ')}: ${cli.stderr}`);
      assert.equal(cli.stdout, '');
      assert.deepEqual(JSON.parse(cli.stderr), rest, args.join(' '));
    }
  });
}

test('every code of the specification has a case or a reason why it has no cause', () => {
  const covered = new Set([
    ...ERROR_CASES.map(({ messageId }) => Number(messageId.split(' ')[1])),
    ...WINDOWS_WITHOUT_CAUSE.map(({ number }) => number),
  ]);
  const failover = Array.from({ length: 20134 - 20112 + 1 }, (_, index) => 20112 + index);
  const all = [...failover, 20005, 20007, 20010, 20012, 20022, 20023, 20052, 2, 5, 87, 259, 1722];
  assert.deepEqual(
    all.filter((number) => !covered.has(number)),
    [],
  );
});

const READS: readonly (readonly [string, Params])[] = [
  ['failover.get-by-name', {}],
  ['failover.get-by-name', { Name: ['rel1'] }],
  ['failover.get-by-scope-id', { ScopeId: ['10.0.1.0'] }],
  ['scope.get', {}],
  ['scope.get', { ScopeId: ['10.0.2.0', '10.0.1.0'] }],
  ['reservation.get-by-scope-id', { ScopeId: '10.0.1.0' }],
  ['exclusion.get', {}],
  ['failover.status', { Name: ['rel1'] }],
  ['scope.statistics', { Failover: true }],
  ['server.statistics', {}],
  ['lease.get-by-scope-id', { ScopeId: '10.0.1.0', AllLeases: true }],
  ['config.show', {}],
  ['pair.changes', {}],
];

for (const [name, params] of READS) {
  test(`${name} ${JSON.stringify(params)} gives the same value through every door`, async (t) => {
    const world = await pairedServers();
    const given = { operation: name, params };
    const rest = await throughRest(t, world, given);
    for (const args of [commandLine(given), callLine(given)]) {
      const cli = await throughCli(t, world, args, false);
      assert.equal(cli.code, 0, cli.stderr);
      assert.deepEqual(JSON.parse(cli.stdout), rest['value']);
    }
  });
}

test('a change made by typing is the change that REST makes', async (t) => {
  const params = {
    Name: 'rel1',
    LoadBalancePercent: 70,
    MaxClientLeadTime: 1800,
    AutoStateTransition: true,
    PassThru: true,
  };
  const given = { operation: 'failover.set', params };
  const [one, two] = [await pairedServers(), await pairedServers()];
  const rest = await throughRest(t, one, given);
  const cli = await throughCli(t, two, commandLine(given), false);
  assert.deepEqual(JSON.parse(cli.stdout), rest['value']);
  const settings = ({ a, b }: FakeWorld) =>
    [a, b].map(({ config }) =>
      config.relationships.map(({ percentage, mcltSec, stateSwitchIntervalSec }) => ({
        percentage,
        mcltSec,
        stateSwitchIntervalSec,
      })),
    );
  assert.deepEqual(settings(two), settings(one));
  assert.equal(settings(two)[0]?.[0]?.percentage, 70);
});

test('a list of which some items fail is a partial success with exit code 4', async (t) => {
  const given = { operation: 'scope.get', params: { ScopeId: ['10.0.1.0', '10.9.9.0'] } };
  const rest = await throughRest(t, await pairedServers(), given);
  const cli = await throughCli(t, await pairedServers(), commandLine(given), false);
  assert.equal(cli.code, 4);
  assert.deepEqual(JSON.parse(cli.stdout), rest['value']);
  assert.deepEqual([JSON.parse(cli.stderr)], rest['errors']);
});

type Request = Pick<ErrorCase, 'operation' | 'params' | 'caller'>;

function isReader({ caller }: Request): boolean {
  return caller?.role === 'reader';
}

async function throughRest(t: TestContext, world: FakeWorld, given: Request): Promise<Params> {
  const door = await openDoor(t, world.a.control);
  const body = Object.fromEntries(Object.entries(given.params).map(([name, value]) => [outerName(name), value]));
  return (
    await door.post(given.operation.replaceAll('.', '/'), body, isReader(given) ? READER_TOKEN : ADMINISTRATOR_TOKEN)
  ).body;
}

async function throughCli(
  t: TestContext,
  world: FakeWorld,
  args: readonly string[],
  asReader: boolean,
): Promise<CliResult> {
  const door = await openDoor(t, world.a.control);
  return await runCli(args, { ...door.cli, files: { '/token': asReader ? READER_TOKEN : ADMINISTRATOR_TOKEN } });
}

function callLine({ operation, params }: Request): readonly string[] {
  // Force is more than silence to some operations, so the question is answered with yes.
  return [
    'call',
    operation,
    '--params',
    JSON.stringify(params),
    '--json',
    ...(asksFor(operation, params) ? ['--yes'] : []),
  ];
}

/** What chooses an operation that no parameter of its own gives away. */
const CHOOSING: Readonly<Record<string, readonly string[]>> = {
  'failover.add-by-hot-standby': ['--mode', 'HotStandby'],
  'server.statistics': ['--server'],
};

/** The friendly command with an option for every parameter. */
function commandLine({ operation, params }: Request): readonly string[] {
  const spec = commandSpecs(OPERATIONS).find((candidate) => candidate.operations.includes(operation)) as CommandSpec;
  const args = [...spec.words.split(' '), '--json'];
  for (const parameter of parametersOf(operationOf(operation))) {
    const value = params[parameter.name];
    if (value === undefined) continue;
    if (value === true) args.push(`--${parameter.option}`);
    else args.push(`--${parameter.option}`, ...[value].flat().map(String));
  }
  args.push(...(CHOOSING[operation] ?? []));
  return asksFor(operation, params) ? [...args, '--yes'] : args;
}

function asksFor(name: string, params: Params): boolean {
  const operation = operationOf(name);
  const parsed = operation.params.safeParse(params);
  return parsed.success && params['Force'] !== true && operation.confirm?.(parsed.data) !== undefined;
}

function operationOf(name: string): Operation {
  const operation = OPERATIONS.find((candidate) => candidate.name === name);
  assert.ok(operation !== undefined, name);
  return operation;
}
