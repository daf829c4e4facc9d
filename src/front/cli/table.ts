/**
 * A small table printer. Values come from the network and from clients (host names!), so control characters are shown, never
 * sent to the terminal. On a terminal the last column is cut to the width; into a pipe everything is written whole.
 */

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

const GAP = '  ';
const LAST_COLUMN_WIDTH_MIN = 8;

/** Lines of a table; the title line first, none after the last line's text. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): readonly string[] {
  const cells = rows.map((row) => columns.map((_, index) => shown(row[index] ?? '')));
  const widths = columns.map((column, index) => widest([[column.title]], 0, widest(cells, index, 0)));
  const line = (row: readonly string[]): string =>
    fit(row.map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.isNumber === true)).join(GAP), width);
  return [line(columns.map((column) => column.title)), ...cells.map(line)].map((text) => text.trimEnd());
}

/** `name : value` lines, as PowerShell's list view. */
export function listLines(entries: readonly (readonly [string, string])[]): readonly string[] {
  const width = widest(entries, 0, 0);
  return entries.map(([name, value]) => `${pad(name, width, false)} : ${shown(value)}`.trimEnd());
}

/** Text without anything a terminal would obey. */
export function shown(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
    return `\\u{${code}}`;
  });
}

/** A scope has up to a million leases, too many to be the arguments of one call. */
function widest(rows: readonly (readonly string[])[], index: number, atLeast: number): number {
  return rows.reduce((width, row) => Math.max(width, textWidth(row[index] ?? '')), atLeast);
}

function fit(text: string, width: number | undefined): string {
  if (width === undefined || width < LAST_COLUMN_WIDTH_MIN) return text;
  const characters = [...text];
  return textWidth(text) <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

function pad(text: string, width: number, isNumber: boolean): string {
  const fill = ' '.repeat(Math.max(0, width - textWidth(text)));
  return isNumber ? fill + text : text + fill;
}

/** Code points, which is what a terminal shows for the scripts that host names are written in. */
function textWidth(text: string): number {
  return [...text].length;
}
