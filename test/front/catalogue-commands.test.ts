/** What the catalogue tells people to type must be there to be typed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { PROBLEMS } from '../../src/core/problems/catalogue.ts';
import { buildProgram } from '../../src/front/cli/program.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';

/** The words and long options of each `twinlease ...` that a text quotes. */
function commandLines(text: string): readonly string[] {
  return [...text.matchAll(/`twinlease ([^`]+)`/g)].map((match) => match[1] ?? '');
}

test('every command line in a problem, an example of an operation or a help text is one that the program takes', () => {
  const program = buildProgram({
    serve: async () => undefined,
    restore: async () => undefined,
    sim: async () => undefined,
  });
  const texts = [
    ...Object.values(PROBLEMS)
      .flatMap((entry) => [entry.text, entry.why, entry.action])
      .flatMap(commandLines),
    ...OPERATIONS.flatMap((operation) => operation.examples).map((line) => line.replace(/^.*?twinlease /, '')),
  ];
  assert.ok(texts.length > 20);
  const missing: string[] = [];
  for (const line of texts) {
    let command = program;
    const words = line.split(/\s+/);
    for (const word of words) {
      const next = command.commands.find((candidate) => candidate.name() === word);
      if (next === undefined) break;
      command = next;
    }
    const options = words.filter((word) => word.startsWith('--')).map((word) => word.replace(/=.*/, ''));
    const known = new Set(command.options.map((option) => option.long));
    if (command.commands.length > 0 && command !== program) missing.push(line);
    else if (command === program && !/^(?:help|--)/.test(line)) missing.push(line);
    else if (options.some((option) => !known.has(option))) missing.push(line);
  }
  assert.deepEqual(missing, []);
});
