/** Completion scripts name the whole command tree, and bash's does what it should where bash is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { commandSpecs } from '../../src/front/cli/program.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';
import { runCli } from './cli-world.ts';

const HAS_BASH = spawnSync('bash', ['--version']).status === 0;

for (const shell of ['bash', 'zsh', 'fish']) {
  test(`${shell}: every command is in the script`, async () => {
    const { stdout, code } = await runCli(['completion', shell]);
    assert.equal(code, 0);
    for (const { words } of commandSpecs(OPERATIONS)) assert.ok(stdout.includes(words), words);
    assert.ok(stdout.includes('max-client-lead-time'));
  });
}

test('bash completes groups, commands and options', { skip: HAS_BASH ? false : 'needs bash' }, async () => {
  const { stdout: script } = await runCli(['completion', 'bash']);
  const complete = (...words: string[]): string[] => {
    const line = words.map((word) => `'${word}'`).join(' ');
    const run = `${script}\nCOMP_WORDS=(twinlease ${line}); COMP_CWORD=${words.length}; _twinlease; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', run], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.split('\n').filter((word) => word !== '');
  };
  assert.deepEqual(complete('fail'), ['failover']);
  assert.deepEqual(complete('failover', 'add'), ['add', 'add-scope']);
  assert.deepEqual(complete('failover', 'set', '--load'), ['--load-balance-percent']);
  assert.deepEqual(complete('failover', 'set', 'Pair 1', '--part'), ['--partner-down']);
  assert.deepEqual(complete('failover', 'set', '--name', 'x', '--part'), ['--partner-down']);
  assert.deepEqual(complete('completion', 'z'), ['zsh']);
  assert.deepEqual(complete('nothing', 'x'), []);
});

for (const [shell, options] of [
  ['bash', ['-n']],
  ['zsh', ['-n']],
  ['fish', ['--no-execute']],
] as const) {
  const isThere = spawnSync(shell, ['--version']).status === 0;
  test(`${shell} finds no fault in its script`, { skip: isThere ? false : `needs ${shell}` }, async (t) => {
    const { stdout: script } = await runCli(['completion', shell]);
    const directory = mkdtempSync(join(tmpdir(), 'twinlease-completion-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'script');
    writeFileSync(file, script);
    const { stderr, status } = spawnSync(shell, [...options, file], { encoding: 'utf8' });
    assert.equal(stderr, '');
    assert.equal(status, 0);
  });
}
