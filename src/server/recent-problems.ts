/**
 * What was wrong lately, for `server status`: one entry for each code and the thing that it is about, with how often and when, so that
 * a partner that comes again every few seconds with the same trouble, or a stranger with many addresses, pushes nothing else out.
 */
import type { Problem } from '../core/problems/problem.ts';

export const RECENT_MAX = 256;
/** Entries of one code; more push out the oldest of the same code. */
export const RECENT_OF_CODE_MAX = 32;

/** Slots that say what a problem is about. The others say how it was this time: a reason, a number, a moment. */
const IDENTIFYING: ReadonlySet<string> = new Set([
  'name',
  'partner',
  'peer',
  'scopeId',
  'address',
  'interface',
  'fingerprint',
  'kind',
  'what',
  'who',
]);

export interface RecentProblem extends Problem {
  /** When it was last so, seconds since 1970. */
  readonly at: number;
  readonly firstAt: number;
  readonly count: number;
}

export class RecentProblems {
  /** The longest unheard of first. */
  readonly #entries = new Map<string, RecentProblem>();

  note(problem: Problem, at: number): void {
    const key = keyOf(problem);
    const before = this.#entries.get(key);
    // The newest stand last.
    this.#entries.delete(key);
    this.#entries.set(key, { ...problem, at, firstAt: before?.firstAt ?? at, count: (before?.count ?? 0) + 1 });
    if (before !== undefined) return;
    const ofCode = [...this.#entries].filter(([, entry]) => entry.code === problem.code);
    const oldest = ofCode.length > RECENT_OF_CODE_MAX ? ofCode[0]?.[0] : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
    const first = this.#entries.keys().next();
    if (this.#entries.size > RECENT_MAX && first.done !== true) this.#entries.delete(first.value);
  }

  list(): readonly RecentProblem[] {
    return [...this.#entries.values()];
  }
}

function keyOf({ code, slots }: Problem): string {
  const about = Object.entries(slots)
    .filter(([name]) => IDENTIFYING.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([code, about]);
}
