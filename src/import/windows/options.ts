/**
 * Options of an export: classes, definitions and values. As here, Windows has definitions for a vendor's own options, which travel inside
 * option 43, and values for clients of a vendor or user class; a class has a name there and is known here by its data.
 */

import type { OptionDefinition, OptionValue } from '../../core/config/model.ts';
import { optionFromText, standardDefinitionOf } from '../../wire/dhcp/options.ts';
import { parseIp4, toHex } from '../../wire/units.ts';
import { lookUp } from '../look-up.ts';
import { child, type Element, listIn, textOf, type WindowsReport } from './elements.ts';
import { readOctets } from './values.ts';

export interface ClassData {
  readonly type: 'vendor' | 'user';
  readonly text: string;
}

export interface OptionContext {
  readonly report: WindowsReport;
  /** By name, lower case. */
  readonly classes: ReadonlyMap<string, ClassData>;
  /** All of the file, those that become ours and those that are as here. */
  readonly definitions: ReadonlyMap<string, OptionDefinition>;
}

const NAME_MAX = 255;
const TYPES: Readonly<Record<string, OptionDefinition['type']>> = {
  byte: 'byte',
  word: 'word',
  dword: 'dword',
  dworddword: 'dword-dword',
  ipv4address: 'ipv4-address',
  string: 'string',
  binarydata: 'binary',
  encapsulateddata: 'encapsulated',
};
const WIDTHS: Readonly<Partial<Record<OptionDefinition['type'], number>>> = {
  byte: 1,
  word: 2,
  dword: 4,
  'dword-dword': 8,
  'ipv4-address': 4,
};
const LEASE_TIME = 51;
/** Where Windows keeps the settings of its DNS updates. */
const DNS_SETTINGS = 81;
const NOT_SETTABLE: ReadonlySet<number> = new Set([50, 52, 53, 54, 55, 56, 57, 61, 82, 118]);

export function readClasses(ipv4: Element, report: WindowsReport): Map<string, ClassData> {
  const classes = new Map<string, ClassData>();
  report.carried(child(ipv4, 'Classes'), 'the classes of clients');
  for (const element of listIn(ipv4, 'Classes')) {
    const name = textOf(element, 'Name') ?? '';
    const type = textOf(element, 'Type')?.toLowerCase();
    const data = dataText(textOf(element, 'Data') ?? '');
    if (name === '' || (type !== 'vendor' && type !== 'user') || data === undefined) {
      report.wholeNotCarried(element, 'a class is known here by its text, and this one has none');
      continue;
    }
    classes.set(name.toLowerCase(), { type, text: data });
    const outcome = `known by option ${type === 'vendor' ? 60 : 77} with "${data}"`;
    report.notCarried(child(element, 'Description'), 'a class has no description here');
    report.whole(element, { carried: 'carried', outcome, advice: null });
  }
  return classes;
}

/** The text of a class's data, which is hexadecimal; undefined where it is no text. */
function dataText(text: string): string | undefined {
  const octets = text.startsWith('0x') ? readOctets(text) : new TextEncoder().encode(text);
  if (octets === undefined || octets.length === 0 || octets.length > NAME_MAX) return undefined;
  const plain = String.fromCharCode(...octets).replace(/\0$/, '');
  return /^[\x20-\x7e]+$/.test(plain) ? plain : undefined;
}

export interface DefinitionsRead {
  readonly all: ReadonlyMap<string, OptionDefinition>;
  readonly own: readonly OptionDefinition[];
}

export function readDefinitions(
  ipv4: Element,
  report: WindowsReport,
  classes: ReadonlyMap<string, ClassData>,
): DefinitionsRead {
  const all = new Map<string, OptionDefinition>();
  const own: OptionDefinition[] = [];
  report.carried(child(ipv4, 'OptionDefinitions'), 'the definitions of options');
  for (const element of listIn(ipv4, 'OptionDefinitions')) {
    const definition = readDefinition(element, classes);
    if (typeof definition === 'string') {
      report.wholeNotCarried(element, definition);
      continue;
    }
    const key = definitionKey(definition.code, definition.vendorClass);
    if (all.has(key)) {
      report.wholeNotCarried(element, `option ${definition.code} is defined twice`);
      continue;
    }
    all.set(key, definition);
    report.notCarried(child(element, 'DefaultValue'), 'definitions have no default value here');
    const standard = definition.vendorClass === undefined ? standardDefinitionOf(definition.code) : undefined;
    const isStandard = standard?.type === definition.type && standard.isArray === definition.isArray;
    if (!isStandard) own.push(definition);
    const outcome = isStandard ? `option ${definition.code} is known so here` : `defines option ${definition.code}`;
    const isSingle = isMultiValued(element) && !definition.isArray;
    if (isSingle)
      report.changed(child(element, 'MultiValued'), `an option of the type ${definition.type} has one value here`);
    report.whole(element, { carried: 'carried', outcome, advice: null });
  }
  return { all, own };
}

function readDefinition(element: Element, classes: ReadonlyMap<string, ClassData>): OptionDefinition | string {
  const code = codeOf(element);
  const type = lookUp(TYPES, textOf(element, 'Type')?.toLowerCase() ?? '');
  const name = textOf(element, 'Name');
  if (code === undefined || type === undefined || name === undefined) return 'the definition is not understood';
  const vendorName = textOf(element, 'VendorClass');
  const vendor = vendorName === undefined ? undefined : classes.get(vendorName.toLowerCase());
  if (vendorName !== undefined && vendor?.type !== 'vendor') return `there is no vendor class "${vendorName}"`;
  const description = textOf(element, 'Description')?.slice(0, NAME_MAX);
  return {
    code,
    name: name.slice(0, NAME_MAX),
    type,
    // A list of texts or of octets has no form of its own here.
    isArray: isMultiValued(element) && lookUp(WIDTHS, type) !== undefined,
    ...(description === undefined ? {} : { description }),
    ...(vendor === undefined ? {} : { vendorClass: vendor.text }),
  };
}

function isMultiValued(element: Element): boolean {
  return textOf(element, 'MultiValued')?.toLowerCase() === 'true';
}

function definitionKey(code: number, vendorClass: string | undefined): string {
  return `${code} ${vendorClass ?? ''}`;
}

function codeOf(element: Element): number | undefined {
  const text = textOf(element, 'OptionId') ?? '';
  const code = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  return code >= 1 && code <= 254 ? code : undefined;
}

export type OptionLevelName = 'server' | 'scope' | 'reservation';

/** The values of the list `OptionValues` inside `element`. */
export function readOptionValues(
  context: OptionContext,
  element: Element,
  level: OptionLevelName,
  where: string,
): OptionValue[] {
  const { report } = context;
  const values: OptionValue[] = [];
  const seen = new Set<string>();
  report.carried(child(element, 'OptionValues'), `the options of ${where}`);
  for (const one of listIn(element, 'OptionValues')) {
    const read = readValue(context, one, level);
    if (read.kind === 'told') {
      report.whole(one, { carried: read.carried, outcome: read.outcome, advice: read.advice });
      continue;
    }
    const { value } = read;
    const key = JSON.stringify([value.code, value.vendorClass, value.userClass]);
    if (seen.has(key)) {
      report.wholeNotCarried(one, `option ${value.code} has a value of ${where} already`);
      continue;
    }
    seen.add(key);
    values.push(value);
    report.whole(one, { carried: 'carried', outcome: `option ${value.code} of ${where}`, advice: null });
  }
  return values;
}

type ValueRead =
  | { readonly kind: 'value'; readonly value: OptionValue }
  | {
      readonly kind: 'told';
      readonly carried: 'carried' | 'not-carried';
      readonly outcome: string;
      readonly advice: string | null;
    };

function readValue(context: OptionContext, element: Element, level: OptionLevelName): ValueRead {
  const refuse = (outcome: string, advice: string | null = null): ValueRead => ({
    kind: 'told',
    carried: 'not-carried',
    outcome,
    advice,
  });
  const code = codeOf(element);
  if (code === undefined) return refuse('there is no such option');
  if (textOf(element, 'PolicyName') !== undefined) return refuse('policies have no equivalent');
  const classes = classesOf(context, element);
  if (typeof classes === 'string') return refuse(classes);
  const definition =
    context.definitions.get(definitionKey(code, classes.vendorClass)) ??
    context.definitions.get(definitionKey(code, undefined));
  const isOfVendor = definition?.vendorClass !== undefined;
  if (
    !isOfVendor &&
    code === LEASE_TIME &&
    level === 'scope' &&
    classes.vendorClass === undefined &&
    classes.userClass === undefined
  )
    return {
      kind: 'told',
      carried: 'carried',
      outcome: 'the lease time of the scope, which LeaseDuration says',
      advice: null,
    };
  if (!isOfVendor && code === LEASE_TIME && (level !== 'reservation' || Object.keys(classes).length > 0))
    return refuse(
      'a lease time belongs to a scope, or to a reservation for every class',
      'Set the lease time of the scopes.',
    );
  if (!isOfVendor && code === DNS_SETTINGS) return refuse('it holds settings of DNS updates, which are not made');
  if (!isOfVendor && NOT_SETTABLE.has(code))
    return refuse(`option ${code} is made by the server, the client or the relay`);
  const texts = element.children.filter(({ key }) => key === 'value').map(({ text }) => text);
  const octets = octetsOf(code, texts, definition);
  if (octets === undefined)
    return refuse(`the value of option ${code} is not understood`, 'Set it with "twinlease option set".');
  if (!isOfVendor && code === LEASE_TIME && (octets.length !== 4 || octets.every((octet) => octet === 0)))
    return refuse('it is no lease time');
  return { kind: 'value', value: { code, hex: toHex(octets), ...classes } };
}

function classesOf(
  { classes }: OptionContext,
  element: Element,
): { vendorClass?: string; userClass?: string } | string {
  const found: { vendorClass?: string; userClass?: string } = {};
  for (const [name, type] of [
    ['VendorClass', 'vendor'],
    ['UserClass', 'user'],
  ] as const) {
    const text = textOf(element, name);
    if (text === undefined) continue;
    const data = classes.get(text.toLowerCase());
    if (data?.type !== type) return `there is no ${type} class "${text}" with a text`;
    if (type === 'vendor') found.vendorClass = data.text;
    else found.userClass = data.text;
  }
  return found;
}

/** Undefined for a value that does not have the form of its definition. */
function octetsOf(
  code: number,
  texts: readonly string[],
  definition: OptionDefinition | undefined,
): Uint8Array | undefined {
  const type = definition?.type;
  if (type === 'binary' || type === 'encapsulated') return binary(texts);
  if (definition !== undefined && !definition.isArray && texts.length !== 1) return undefined;
  // The name of a host stands for its address in no server but the one that wrote it.
  if (type === 'ipv4-address' && texts.some((text) => parseIp4(text) === undefined)) return undefined;
  const read = optionFromText(code, texts, type);
  if (read.kind === 'bad') return undefined;
  const width = type === undefined ? undefined : lookUp(WIDTHS, type);
  const isFitting = width === undefined || (read.value.length > 0 && read.value.length % width === 0);
  return isFitting ? read.value : undefined;
}

/** One text for each octet, or one hexadecimal text for all. */
function binary(texts: readonly string[]): Uint8Array | undefined {
  const octets: number[] = [];
  for (const text of texts) {
    if (text === '') continue;
    const isOctet = /^(0x[0-9a-f]{1,2}|\d{1,3})$/i.test(text) && Number(text) <= 255;
    const some = isOctet ? [Number(text)] : readOctets(text);
    if (some === undefined) return undefined;
    octets.push(...some);
  }
  return octets.length > 2048 ? undefined : Uint8Array.from(octets);
}
