/** The command table fits the operations that there are. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { z } from 'zod';
import { COMMANDS, GROUPS } from '../../src/front/cli/commands.ts';
import { mergedParameters, parametersOf } from '../../src/front/cli/parameters.ts';
import { commandSpecs } from '../../src/front/cli/program.ts';
import { outerName } from '../../src/front/rest/names.ts';
import { pathOf } from '../../src/front/rest/paths.ts';
import type { Operation } from '../../src/manage/operation.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';
import { answering, done, runCli, SERVER } from './cli-world.ts';

function operationsOf(names: readonly string[]): readonly Operation[] {
  return OPERATIONS.filter((operation) => names.includes(operation.name));
}

test('every operation that the table names is there', () => {
  const named = COMMANDS.flatMap((spec) => spec.operations);
  assert.deepEqual(
    named.filter((name) => !OPERATIONS.some((operation) => operation.name === name)),
    [],
  );
});

test('no two commands have the same words', () => {
  const words = commandSpecs(OPERATIONS).map((spec) => spec.words);
  assert.equal(new Set(words).size, words.length);
});

test('no command is a group at the same time', () => {
  const words = commandSpecs(OPERATIONS).map((spec) => spec.words);
  for (const word of words) assert.ok(!words.some((other) => other.startsWith(`${word} `)), word);
});

test('every group says what it is', () => {
  for (const { words } of commandSpecs(OPERATIONS)) {
    const [group = '', ...rest] = words.split(' ');
    if (rest.length > 0) assert.ok(group in GROUPS, group);
  }
});

test('parameters with one name mean one thing in all operations of a command', () => {
  for (const { words, operations } of commandSpecs(OPERATIONS)) {
    for (const merged of mergedParameters(operationsOf(operations))) {
      for (const operation of operationsOf(operations)) {
        const own = parametersOf(operation).find(({ name }) => name === merged.name);
        if (own !== undefined)
          assert.deepEqual([own.kind, own.isList], [merged.kind, merged.isList], `${words} ${merged.name}`);
      }
    }
  }
});

test('positional, asked, erasable and file parameters are parameters', () => {
  for (const spec of COMMANDS) {
    const names = mergedParameters(operationsOf(spec.operations)).map(({ name }) => name);
    const used = [
      ...(spec.positional ?? []),
      ...(spec.asked ?? []).map(({ parameter }) => parameter),
      ...(spec.erasable ?? []),
      ...(spec.file === undefined ? [] : [spec.file.parameter]),
    ];
    for (const name of used) assert.ok(names.includes(name), `${spec.words} ${name}`);
  }
});

test('the columns of a table are properties of the answer', () => {
  for (const { words, operations, view } of COMMANDS) {
    for (const operation of operationsOf(operations)) {
      const known = propertiesIn(z.toJSONSchema(operation.result, { io: 'output', unrepresentable: 'any' }));
      for (const property of view?.properties ?? [])
        assert.ok(known.has(property), `${words}: ${property} of ${operation.name}`);
    }
  }
});

test('--what-if is on every command that changes something and on no other', async () => {
  for (const { words, operations } of commandSpecs(OPERATIONS)) {
    const help = await runCli([...words.split(' '), '--help']);
    assert.equal(help.code, 0, words);
    const changes = operationsOf(operations).some((operation) => operation.changes);
    assert.equal(/--what-if/.test(help.stdout), changes, words);
    assert.match(help.stdout, /\nExamples:\n/, words);
  }
});

test('every example of an operation calls that operation, and every example of a command one of its own', async () => {
  const files = { ...SERVER.files, 'config.json': '{}', 'plan.json': '{}', 'leases.json': '{}' };
  const called = async (line: string): Promise<string> => {
    const server = answering(200, done(null));
    const args = wordsOf(line).slice(1);
    const result = await runCli(args, { ...SERVER, files, fetch: server.fetch, answers: ['y', 'y', 'y'] });
    assert.equal(result.code, 0, `${line}: ${result.stderr}`);
    return new URL(server.sent[0]?.url ?? '').pathname;
  };
  for (const operation of OPERATIONS) {
    for (const line of operation.examples) assert.equal(await called(line), pathOf(operation), line);
  }
  for (const { operations, examples } of COMMANDS) {
    const paths = operationsOf(operations).map(pathOf);
    for (const line of examples ?? []) assert.ok(paths.includes(await called(line)), line);
  }
});

/** Words as a shell makes them, without the output's redirection. */
function wordsOf(line: string): readonly string[] {
  return [...line.replace(/ > .*$/, '').matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}

function propertiesIn(schema: unknown): Set<string> {
  const found = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'properties') for (const name of Object.keys(value as object)) found.add(outerName(name));
      visit(value);
    }
  };
  visit(schema);
  return found;
}
