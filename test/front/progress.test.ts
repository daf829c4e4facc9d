/** The sign of life of slow calls. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { progressLine, withProgress } from '../../src/front/cli/progress.ts';
import type { CliWorld } from '../../src/front/cli/world.ts';

function worldOf(isTerminal: boolean): { world: CliWorld; written: string[] } {
  const written: string[] = [];
  const stderr = { isTerminal, columns: 80, write: (text: string) => void written.push(text) };
  const refuse = (): never => assert.fail('nothing but stderr is needed');
  return {
    written,
    world: {
      stdout: stderr,
      stderr,
      env: {},
      isInteractive: false,
      fetch: refuse,
      readText: refuse,
      readChunks: refuse,
      writeText: refuse,
      ask: refuse,
      askSecret: refuse,
      setExitCode: refuse,
      leave: refuse,
    },
  };
}

test('a call of less than a second shows nothing, a longer one moves and is wiped away', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { world, written } = worldOf(true);
  let finish: (value: number) => void = () => undefined;
  const work = withProgress(world, 'scope.add', new Promise<number>((resolve) => (finish = resolve)));
  t.mock.timers.tick(900);
  assert.deepEqual(written, []);
  t.mock.timers.tick(1500);
  assert.match(written.at(-1) ?? '', /=+.*scope\.add 2 s$/);
  finish(7);
  assert.equal(await work, 7);
  const count = written.length;
  assert.equal(written.at(-1), '\r\u001b[K');
  t.mock.timers.tick(5000);
  assert.equal(written.length, count);
});

test('a failing call takes its bar away too', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { world, written } = worldOf(true);
  let fail: (error: Error) => void = () => undefined;
  const work = withProgress(world, 'x', new Promise((_, reject) => (fail = reject)));
  t.mock.timers.tick(2000);
  fail(new Error('lost'));
  await assert.rejects(work, /lost/);
  assert.equal(written.at(-1), '\r\u001b[K');
});

test('where stderr is no terminal nothing is ever drawn', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { world, written } = worldOf(false);
  let finish: (value: number) => void = () => undefined;
  const work = withProgress(world, 'x', new Promise<number>((resolve) => (finish = resolve)));
  t.mock.timers.tick(60_000);
  finish(1);
  await work;
  assert.deepEqual(written, []);
});

test('the bar keeps its width and its mark at every moment', () => {
  for (let ms = 0; ms < 20_000; ms += 50) assert.match(progressLine('x', ms), /^\[ *={6} *\] x \d+ s$/);
  assert.equal(new Set(Array.from({ length: 300 }, (_, i) => progressLine('', i * 150).indexOf(']'))).size, 1);
});
