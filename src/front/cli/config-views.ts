/** The configuration, its revisions and their differences as people read them. */
import { shown } from './table.ts';
import { isShape, table, type View } from './views.ts';

/** A configuration is shown in the very form in which it can be applied again. */
export const JSON_VIEW: View = (value) => JSON.stringify(value, null, 2).split('\n');

export const HISTORY_VIEW = table(
  [
    { property: 'revision', isNumber: true },
    { property: 'madeAt', title: 'made' },
    { property: 'by' },
    { property: 'what' },
  ],
  'There is no revision.',
);

/** One line for each difference, marked as `diff` does. */
export const DIFF_VIEW: View = (value) => {
  const differences = (Array.isArray(value) ? value : []).filter(isShape);
  if (differences.length === 0) return ['There is no difference.'];
  return differences.map(({ path, kind, before, after }) => {
    const name = String(path);
    if (kind === 'added') return shown(`+ ${name}: ${valueText(after)}`);
    if (kind === 'removed') return shown(`- ${name}: ${valueText(before)}`);
    return shown(`~ ${name}: ${valueText(before)} -> ${valueText(after)}`);
  });
};

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
