/**
 * A sign of life on stderr for a call that takes longer than a second. The door tells no share of the work done, so the bar
 * moves and shows the time that has passed; it is gone when the answer comes.
 */
import type { CliWorld } from './world.ts';

const SHOWN_AFTER_MS = 1000;
const STEP_MS = 150;
const BAR_WIDTH = 24;
const MARK_WIDTH = 6;

export async function withProgress<T>(world: CliWorld, what: string, work: Promise<T>): Promise<T> {
  if (!world.stderr.isTerminal) return await work;
  let passedMs = 0;
  let isShown = false;
  const timer = setInterval(() => {
    passedMs += STEP_MS;
    if (passedMs < SHOWN_AFTER_MS) return;
    isShown = true;
    world.stderr.write(`\r\u001b[K${progressLine(what, passedMs)}`);
  }, STEP_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (isShown) world.stderr.write('\r\u001b[K');
  }
}

export function progressLine(what: string, passedMs: number): string {
  const room = BAR_WIDTH - MARK_WIDTH;
  const step = Math.floor(passedMs / STEP_MS) % (2 * room);
  const at = step <= room ? step : 2 * room - step;
  const bar = `${' '.repeat(at)}${'='.repeat(MARK_WIDTH)}${' '.repeat(room - at)}`;
  return `[${bar}] ${what} ${Math.floor(passedMs / 1000)} s`;
}
