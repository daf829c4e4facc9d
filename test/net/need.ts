/**
 * What a test needs of its machine. A missing need skips the test, except under `CI=true`, where everything has to be there.
 */
import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/** Answers whether the test can go on; when not, it has been skipped. */
export function needRoot(t: TestContext): boolean {
  return need(t, process.getuid?.() === 0, 'root');
}

export function needProgram(t: TestContext, name: string): boolean {
  return need(t, hasProgram(name), `the program ${name}`);
}

function need(t: TestContext, isThere: boolean, what: string): boolean {
  if (isThere) return true;
  if (process.env['CI'] === 'true') throw new Error(`this test needs ${what}, which must be there under CI=true`);
  t.skip(`needs ${what}`);
  return false;
}

function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
