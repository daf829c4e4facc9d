/**
 * What a change of the configuration would do, as lines of text for `--what-if`: which settings differ, and what becomes of the
 * leases that clients hold.
 */
import type { BindingTable } from '../core/bindings/binding.ts';
import { type Change, diffConfig } from '../core/config/diff.ts';
import type { Config } from '../core/config/model.ts';
import { effectLines, effectOnLeases } from '../core/config/what-if.ts';
import type { Control } from '../server/control.ts';

/** Settings that are named; the rest is counted. */
const LINES_MAX = 200;

export function whatWouldChange(control: Control, before: Config, after: Config): string[] {
  const changes = diffConfig(before, after);
  const lines = changes.slice(0, LINES_MAX).map(changeLine);
  if (changes.length > LINES_MAX) lines.push(`${changes.length - LINES_MAX} more settings would change.`);
  // The effects only read the table; the operations see it without its changing methods.
  lines.push(...effectLines(effectOnLeases(before, after, control.bindings as BindingTable)));
  return lines.length === 0 ? ['Nothing would change.'] : lines;
}

/** One difference as a sentence. */
export function changeLine(change: Change): string {
  switch (change.kind) {
    case 'added':
      return `Adds ${change.path}: ${shown(change.after)}.`;
    case 'removed':
      return `Removes ${change.path}: ${shown(change.before)}.`;
    case 'changed':
      return `Changes ${change.path} from ${shown(change.before)} to ${shown(change.after)}.`;
    default:
      return change.kind satisfies never;
  }
}

const SHOWN_MAX = 120;

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}
