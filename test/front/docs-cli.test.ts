/** The manual's page on the command line names every command, its arguments and its operations, and nothing else. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Command } from 'commander';
import { EXIT_CODES } from '../../src/front/cli/exit-codes.ts';
import { buildProgram, commandSpecs } from '../../src/front/cli/program.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';

const PAGE = readFileSync(join(process.cwd(), 'docs', 'cli.md'), 'utf8');

test('the page lists the commands that there are, with what they do', () => {
  const written = PAGE.split('\n').filter((line) => /^\| `.*\|$/.test(line) && line.split('|').length === 5);
  const there = leavesOf(
    buildProgram({ serve: async () => undefined, restore: async () => undefined, sim: async () => undefined }),
    [],
  ).filter((line) => line.startsWith('| `'));
  assert.deepEqual([...written].sort(), [...there].sort());
});

test('the page has the exit codes as they are', () => {
  for (const { code, meaning } of EXIT_CODES) assert.ok(PAGE.includes(`| ${code} | ${meaning} |`), String(code));
});

function leavesOf(command: Command, path: readonly string[]): readonly string[] {
  return command.commands.flatMap((inner) => {
    const words = [...path, inner.name()];
    return inner.commands.length > 0 ? leavesOf(inner, words) : [rowOf(inner, words.join(' '))];
  });
}

function rowOf(command: Command, words: string): string {
  const args = command.registeredArguments.map((argument) => {
    const name = `${argument.name().toUpperCase()}${argument.variadic ? '...' : ''}`;
    return argument.required ? ` ${name}` : ` [${name}]`;
  });
  const behind = commandSpecs(OPERATIONS).find((spec) => spec.words === words)?.operations ?? [];
  return `| \`${words}${args.join('')}\` | ${command.description()} | ${behind.map((name) => `\`${name}\``).join(', ')} |`;
}
