/**
 * The server's own log: lines from the catalogue of problems through pino, at a bounded rate for each code, so that no peer
 * can fill a disk. Secrets never reach it: callers log codes and slots, not requests.
 */
import { type Logger, pino } from 'pino';
import { entryOf, problemText } from '../core/problems/catalogue.ts';
import type { Problem } from '../core/problems/problem.ts';
import { type RecentProblem, RecentProblems } from './recent-problems.ts';

/** Lines of one code within a window; what is over is counted and told when the window ends. */
const LINES_PER_WINDOW = 20;
const WINDOW_MS = 60_000;

export interface ServerLog {
  event(code: string, slots: Readonly<Record<string, string | number>>): void;
  info(text: string, fields?: Record<string, unknown>): void;
  recent(): readonly RecentProblem[];
}

export function makeLog(options: {
  readonly serverName: string;
  readonly level?: string;
  readonly nowSec: () => number;
}): ServerLog {
  const logger: Logger = pino({ level: options.level ?? 'info', base: { server: options.serverName } });
  const windows = new Map<string, { startedAtMs: number; lines: number }>();
  const recent = new RecentProblems();
  return {
    event(code, slots) {
      const problem: Problem = { code, slots };
      const entry = entryOf(code);
      if (entry.severity !== 'info') recent.note(problem, options.nowSec());
      const suppressed = countLine(windows, code);
      if (suppressed === undefined) return;
      const fields = { code, ...slots, ...(suppressed > 0 ? { suppressed } : {}) };
      if (entry.severity === 'error') logger.error(fields, problemText(problem));
      else if (entry.severity === 'warning') logger.warn(fields, problemText(problem));
      else logger.info(fields, problemText(problem));
    },
    info: (text, fields) => logger.info(fields ?? {}, text),
    recent: () => recent.list(),
  };
}

/** Undefined: over the limit, be silent. A number: write the line, that many were suppressed since the last one. */
function countLine(windows: Map<string, { startedAtMs: number; lines: number }>, code: string): number | undefined {
  const nowMs = performance.now();
  const window = windows.get(code);
  if (window === undefined || nowMs - window.startedAtMs > WINDOW_MS) {
    windows.set(code, { startedAtMs: nowMs, lines: 1 });
    return window === undefined ? 0 : Math.max(0, window.lines - LINES_PER_WINDOW);
  }
  window.lines++;
  return window.lines <= LINES_PER_WINDOW ? 0 : undefined;
}
