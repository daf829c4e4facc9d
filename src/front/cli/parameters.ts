/**
 * Turns the zod schemas of operations into what a command line can take: one option per parameter, with its kind read from the
 * JSON Schema that the OpenAPI document shows too, so that the two doors cannot differ.
 */
import { z } from 'zod';
import type { Operation } from '../../manage/operation.ts';
import { kebab, type Read, readDuration } from './spelling.ts';

export type ParameterKind = 'text' | 'integer' | 'number' | 'duration' | 'flag' | 'json' | 'secret';

export interface Parameter {
  /** Windows's spelling. */
  readonly name: string;
  /** Kebab case, without dashes. */
  readonly option: string;
  readonly kind: ParameterKind;
  readonly isList: boolean;
  readonly isRequired: boolean;
  readonly description: string;
  /** Words the value must be one of, as the schema lists them. */
  readonly choices: readonly string[];
}

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
}

/** Lists that come from one command line argument. */
const LIST_LENGTH_MAX = 10_000;
const SECRETS = new Set(['SharedSecret']);
/** Parameters that most operations have; help lists them last. */
const GENERAL = new Set(['Force', 'PassThru', 'Passthru', 'ComputerName']);
const DURATION_NAME = /(?:Duration|Interval|LeadTime|Sec)$/;

const known = new WeakMap<Operation, readonly Parameter[]>();

/** The parameters of an operation in the order of its schema. */
export function parametersOf(operation: Operation): readonly Parameter[] {
  const found = known.get(operation);
  if (found !== undefined) return found;
  const schema = z.toJSONSchema(operation.params, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const required = new Set(schema.required ?? []);
  const parameters = Object.entries(schema.properties ?? {}).map(([name, property]) =>
    describe(name, property, required.has(name)),
  );
  known.set(operation, parameters);
  return parameters;
}

/** The parameters of several operations behind one command; one that all have and need is needed. */
export function mergedParameters(operations: readonly Operation[]): readonly Parameter[] {
  const merged = new Map<string, Parameter>();
  for (const operation of operations) {
    for (const parameter of parametersOf(operation)) {
      if (!merged.has(parameter.name)) merged.set(parameter.name, parameter);
    }
  }
  const isRequiredByAll = (name: string): boolean =>
    operations.every((operation) => parametersOf(operation).some((p) => p.name === name && p.isRequired));
  const all = [...merged.values()].map((parameter) => ({ ...parameter, isRequired: isRequiredByAll(parameter.name) }));
  return [...all.filter(({ name }) => !GENERAL.has(name)), ...all.filter(({ name }) => GENERAL.has(name))];
}

function describe(name: string, property: JsonSchema, isRequired: boolean): Parameter {
  const variants = property.anyOf ?? [property];
  const core = variants.find((variant) => variant.type !== 'null') ?? property;
  const isList = typeOf(core) === 'array';
  const item = isList ? (core.items ?? {}) : core;
  const description = property.description ?? core.description ?? item.description ?? '';
  return {
    name,
    option: kebab(name),
    kind: kindOf(name, item, description),
    isList,
    isRequired,
    description:
      property.default === undefined ? description : `${description} Default ${String(property.default)}.`.trim(),
    choices: choicesOf(item),
  };
}

function kindOf(name: string, schema: JsonSchema, description: string): ParameterKind {
  if (SECRETS.has(name)) return 'secret';
  switch (typeOf(schema)) {
    case 'string':
      return 'text';
    case 'boolean':
      return 'flag';
    case 'integer':
      return DURATION_NAME.test(name) || /time span/i.test(description) ? 'duration' : 'integer';
    case 'number':
      return 'number';
    default:
      // Values of several types are taken as JSON where they are JSON, and as text where they are not.
      return 'json';
  }
}

function typeOf(schema: JsonSchema): string | undefined {
  if (typeof schema.type === 'string') return schema.type;
  if (schema.type !== undefined) return schema.type.find((type) => type !== 'null');
  return schema.enum?.every((value) => typeof value === 'string') === true ? 'string' : undefined;
}

function choicesOf(schema: JsonSchema): readonly string[] {
  return (schema.enum ?? []).filter((value): value is string => typeof value === 'string');
}

/** One argument of an option as the value, or values for a list, that go to the server. */
export function readArgument(parameter: Parameter, text: string): Read<readonly unknown[]> {
  const pieces = parameter.isList ? split(parameter, text) : [text];
  if (pieces.length > LIST_LENGTH_MAX) return { kind: 'bad', why: `more than ${LIST_LENGTH_MAX} values`, at: 0 };
  const values: unknown[] = [];
  for (const piece of pieces) {
    const read = readValue(parameter.kind, piece);
    if (read.kind === 'bad') return read;
    values.push(parameter.choices.length > 0 ? asSpelled(parameter.choices, read.value) : read.value);
  }
  return { kind: 'ok', value: values };
}

/** Lists may be written with commas, as in PowerShell, where a comma cannot be part of a value. */
function split(parameter: Parameter, text: string): readonly string[] {
  const isAddresses = /^\s*\d{1,3}(?:\.\d{1,3}){3}(?:\s*,\s*\d{1,3}(?:\.\d{1,3}){3})+\s*$/.test(text);
  const isNumbers = parameter.kind === 'integer' && /^\s*\d+(?:\s*,\s*\d+)+\s*$/.test(text);
  return isAddresses || isNumbers ? text.split(',').map((piece) => piece.trim()) : [text];
}

function readValue(kind: ParameterKind, text: string): Read<unknown> {
  switch (kind) {
    case 'text':
    case 'secret':
      return { kind: 'ok', value: text };
    case 'integer':
      return /^-?\d{1,15}$/.test(text.trim())
        ? { kind: 'ok', value: Number(text) }
        : { kind: 'bad', why: 'it must be a whole number', at: 0 };
    case 'number':
      return text.trim() !== '' && Number.isFinite(Number(text))
        ? { kind: 'ok', value: Number(text) }
        : { kind: 'bad', why: 'it must be a number', at: 0 };
    case 'duration':
      // A negative span is the server's to refuse, like every other value out of range.
      return /^-\d{1,15}$/.test(text.trim()) ? { kind: 'ok', value: Number(text) } : readDuration(text);
    case 'flag':
      return readFlag(text);
    case 'json':
      return { kind: 'ok', value: jsonOrText(text) };
    default:
      return kind satisfies never;
  }
}

function readFlag(text: string): Read<boolean> {
  if (/^(?:true|yes|on|1)$/i.test(text)) return { kind: 'ok', value: true };
  if (/^(?:false|no|off|0)$/i.test(text)) return { kind: 'ok', value: false };
  return { kind: 'bad', why: 'it must be true or false', at: 0 };
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** PowerShell takes `hotstandby` for `HotStandby`; a word that is none of the choices goes to the server as it is. */
function asSpelled(choices: readonly string[], value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return choices.find((choice) => choice.toLowerCase() === value.toLowerCase()) ?? value;
}
