/** How answers look to people: tables for lists, name and value lines for one object. Programs take `--json` instead. */
import { durationText, kebab } from './spelling.ts';
import { type Column, listLines, tableLines } from './table.ts';

export interface ViewContext {
  readonly width: number | undefined;
}

export interface View {
  (value: unknown, context: ViewContext): readonly string[];
  /** The properties of the answer that it needs, in REST's spelling. */
  readonly properties?: readonly string[];
}

export type Shape = Readonly<Record<string, unknown>>;

/** Columns of a table: the property's name (camelCase, as REST has it) and how it is shown. */
export interface Field {
  readonly property: string;
  readonly title?: string;
  readonly show?: (value: unknown, row: Shape) => string;
  readonly isNumber?: boolean;
}

/** Most columns that the table of an unknown shape gets; more are shown as a list. */
const AUTOMATIC_COLUMNS_MAX = 6;

export function isShape(value: unknown): value is Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function table(fields: readonly Field[], whenEmpty: string): View {
  const view: View = (value, context) => {
    const rows = (Array.isArray(value) ? value : [value]).filter(isShape);
    if (rows.length === 0) return [whenEmpty];
    const columns: Column[] = fields.map((field) => ({
      title: (field.title ?? kebab(field.property)).toUpperCase().replaceAll('-', ' '),
      isNumber: field.isNumber === true,
    }));
    const cells = rows.map((row) =>
      fields.map((field) => (field.show ?? ((inner) => cellText(inner, field.property)))(row[field.property], row)),
    );
    return tableLines(columns, cells, context.width);
  };
  return Object.assign(view, { properties: fields.map((field) => field.property) });
}

/** The view of every answer that has none of its own. */
export const automaticView: View = (value, context) => {
  if (value === null || value === undefined) return ['Done.'];
  if (Array.isArray(value)) return arrayLines(value, context);
  if (isShape(value)) return shapeLines(value);
  return [cellText(value, '')];
};

function arrayLines(values: readonly unknown[], context: ViewContext): readonly string[] {
  const rows = values.filter(isShape);
  if (values.length === 0) return ['None.'];
  if (rows.length !== values.length) return values.map((value) => cellText(value, ''));
  const properties = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (properties.length > AUTOMATIC_COLUMNS_MAX)
    return rows.flatMap((row, index) => (index === 0 ? shapeLines(row) : ['', ...shapeLines(row)]));
  return table(
    properties.map((property) => ({ property })),
    'None.',
  )(rows, context);
}

export function shapeLines(shape: Shape): readonly string[] {
  return listLines(Object.entries(shape).map(([name, value]) => [name, cellText(value, name)]));
}

export function cellText(value: unknown, property: string): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') {
    if (isInstant(property)) return instantText(value);
    return isSpan(property) ? durationText(value) : numberText(value);
  }
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null))
    return value.map((item) => cellText(item, property)).join(', ');
  if (isShape(value) && Object.values(value).every((inner) => typeof inner === 'number')) {
    return Object.entries(value)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  }
  return JSON.stringify(value);
}

function isSpan(property: string): boolean {
  return /(?:Duration|Interval|LeadTime|Sec)$/i.test(property);
}

function isInstant(property: string): boolean {
  return /(?:^now|At|Since|Until|StartTime|ExpiryTime)$/.test(property);
}

function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

/** An instant in seconds since 1970, or text that the server made of one, in the reader's own clock. */
export function instantText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number' || value === 0) return '';
  if (value >= 0xffffffff) return 'never';
  return new Date(value * 1000).toISOString().replace('T', ' ').replace('.000Z', 'Z');
}
