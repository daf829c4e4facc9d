/**
 * The options of one level of a Kea configuration (the server, a class, a network, a host): `option-data` with the options that travel
 * inside others, and the parameters that are options here (`next-server`, `boot-file-name`, timers).
 */
import { type Read, toHex } from '../../wire/units.ts';
import type { Context } from './context.ts';
import { booleanIn, type Fields, numberIn, objectsIn, textIn } from './fields.ts';
import { type Definitions, DHCP4_SPACE, type KeaDefinition } from './option-definitions.ts';
import { octetsFromHex, octetsFromText } from './option-values.ts';

/** Values by option number, with the words for where they are. */
export type LevelValues = Map<number, string>;

export const BOOT_SERVER = 66;
export const BOOT_FILE = 67;
const VENDOR_SPECIFIC = 125;
const RENEWAL_TIME = 58;
const REBINDING_TIME = 59;
const VALUE_OCTETS_MAX = 2048;
/** Made by the server, the client or the relay for each packet. */
const NOT_SETTABLE: ReadonlySet<number> = new Set([50, 51, 52, 53, 54, 55, 56, 57, 61, 82, 118]);
const ENCAPSULATED_DEPTH_MAX = 4;
const ADVICE_HEX = 'Give the octets of the value with "twinlease option set".';

/** One element of `option-data` that could be read. */
interface Entry {
  readonly fields: Fields;
  readonly space: string;
  readonly code: number;
  readonly definition: KeaDefinition | undefined;
  readonly octets: Uint8Array;
}

export function levelValues(context: Context, fields: Fields, where: string, definitions: Definitions): LevelValues {
  const values: LevelValues = new Map();
  const entries = objectsIn(fields.get('option-data'))
    .map((one) => readEntry(context, one, where, definitions))
    .filter((entry) => entry !== undefined);
  const used = new Set<Entry>();
  for (const entry of entries) {
    if (entry.space !== DHCP4_SPACE) continue;
    const octets = [...entry.octets, ...inside(entry, entries, used, 0)];
    setValue(context, values, entry, octets, where);
  }
  addVendors(context, values, entries, used, where);
  for (const entry of entries) {
    if (entry.space === DHCP4_SPACE) continue;
    if (used.has(entry)) noteEntry(context, entry.fields, 'carried', `inside an option of ${where}`);
    else noteEntry(context, entry.fields, 'not-carried', `no option of ${where} holds the space "${entry.space}"`);
  }
  context.report.carried(fields.get('option-data'), `the options of ${where}`);
  addBoot(context, values, fields, where);
  addTimers(context, values, fields, where);
  return values;
}

function readEntry(context: Context, fields: Fields, where: string, definitions: Definitions): Entry | undefined {
  const refuse = (why: string, advice: string | null = null): undefined => {
    noteEntry(context, fields, 'not-carried', why, advice);
    return undefined;
  };
  const space = textIn(fields, 'space') ?? DHCP4_SPACE;
  const name = textIn(fields, 'name');
  const given = numberIn(fields, 'code');
  const definition = given !== undefined ? definitions.byCode(space, given) : definitions.byName(space, name ?? '');
  const code = given ?? definition?.code;
  if (code === undefined || code < 1 || code > 254) return refuse(`the option of ${where} is not known`);
  const data = textIn(fields, 'data') ?? '';
  const isText = booleanIn(fields, 'csv-format') ?? definition !== undefined;
  if (isText && definition === undefined) return refuse(`the type of option ${code} is not known`, ADVICE_HEX);
  const read: Read<Uint8Array> =
    isText && definition !== undefined ? octetsFromText(definition, data) : octetsFromHex(data);
  if (read.kind === 'bad') return refuse(`the value of option ${code} is not understood: ${read.why}`, ADVICE_HEX);
  return { fields, space, code, definition, octets: read.value };
}

/** The options that follow the value of `entry`: those of the space that it holds (ARM, "Nested DHCPv4 Options"). */
function inside(entry: Entry, entries: readonly Entry[], used: Set<Entry>, depth: number): number[] {
  const space = entry.definition?.encapsulates ?? '';
  if (space === '' || depth >= ENCAPSULATED_DEPTH_MAX) return [];
  const octets: number[] = [];
  for (const inner of entries) {
    if (inner.space !== space || inner === entry) continue;
    used.add(inner);
    octets.push(...framed(inner.code, [...inner.octets, ...inside(inner, entries, used, depth + 1)]));
  }
  return octets;
}

/** A value over 255 octets is cut into parts of the same number (RFC 3396). */
function framed(code: number, value: readonly number[]): number[] {
  const octets: number[] = [];
  for (let at = 0; at === 0 || at < value.length; at += 255) {
    const part = value.slice(at, at + 255);
    octets.push(code, part.length, ...part);
  }
  return octets;
}

const VENDOR_SPACE = /^vendor-(\d{1,10})$/;

/** RFC 3925 4: the options of spaces `vendor-N` travel in option 125, under the number of the enterprise. */
function addVendors(
  context: Context,
  values: LevelValues,
  entries: readonly Entry[],
  used: Set<Entry>,
  where: string,
): void {
  const byVendor = new Map<number, number[]>();
  for (const entry of entries) {
    const enterprise = Number(VENDOR_SPACE.exec(entry.space)?.[1] ?? Number.NaN);
    if (!(enterprise <= 0xffffffff) || used.has(entry)) continue;
    used.add(entry);
    byVendor.set(enterprise, [...(byVendor.get(enterprise) ?? []), ...framed(entry.code, [...entry.octets])]);
    const outcome = `inside option 125 of ${where}, sent to every client that asks for it`;
    noteEntry(context, entry.fields, 'changed', outcome);
  }
  const octets: number[] = [];
  for (const [enterprise, options] of byVendor) {
    if (options.length > 255) continue;
    octets.push(enterprise >>> 24, (enterprise >>> 16) & 255, (enterprise >>> 8) & 255, enterprise & 255);
    octets.push(options.length, ...options);
  }
  if (octets.length > 0) values.set(VENDOR_SPECIFIC, toHex(Uint8Array.from(octets)));
}

function setValue(context: Context, values: LevelValues, entry: Entry, octets: number[], where: string): void {
  const { code, fields } = entry;
  if (NOT_SETTABLE.has(code)) {
    const isLease = code === 51;
    noteEntry(
      context,
      fields,
      'not-carried',
      `option ${code} is made by the server, the client or the relay`,
      isLease ? 'Set the lease time of the scope.' : null,
    );
  } else if (octets.length > VALUE_OCTETS_MAX) {
    noteEntry(context, fields, 'not-carried', `the value is longer than ${VALUE_OCTETS_MAX} octets`);
  } else if (values.has(code)) {
    noteEntry(context, fields, 'not-carried', `option ${code} stands twice for ${where}; the first one holds`);
  } else {
    values.set(code, toHex(Uint8Array.from(octets)));
    noteEntry(context, fields, 'carried', `option ${code} of ${where}`);
  }
}

/** All members of an element share its fate; those that have no equivalent by themselves say so. */
function noteEntry(
  { report }: Context,
  fields: Fields,
  carried: 'carried' | 'changed' | 'not-carried',
  outcome: string,
  advice: string | null = null,
): void {
  for (const [key, member] of fields) {
    if (key === 'always-send' && carried !== 'not-carried' && booleanIn(fields, key) === true)
      report.changed(member, `${outcome}; it is sent when the client asks for it`);
    else if (key === 'user-context' || key === 'comment') report.whole(member, COMMENT);
    else report.note(member, carried, outcome, key === 'data' || key === 'name' ? advice : null);
  }
}

export const COMMENT = {
  carried: 'not-carried',
  outcome: 'a remark, which has no place here',
  advice: null,
} as const;

/** `next-server` fills siaddr and `server-hostname` sname, as option 66 does here; `boot-file-name` the file field, as option 67. */
function addBoot({ report }: Context, values: LevelValues, fields: Fields, where: string): void {
  const take = (key: string, code: number, emptyText: string): void => {
    const member = fields.get(key);
    const text = textIn(fields, key);
    if (member === undefined || text === undefined) return;
    const hex = toHex(new TextEncoder().encode(text));
    const present = values.get(code);
    if (text === '' || text === emptyText) report.carried(member, 'sets nothing');
    else if (present === undefined || present === hex) {
      values.set(code, hex);
      report.carried(member, `option ${code} of ${where}`);
    } else {
      report.notCarried(
        member,
        `option ${code} of ${where} has another value already`,
        'Both come from one setting here: choose the one that the clients use.',
      );
    }
  };
  take('next-server', BOOT_SERVER, '0.0.0.0');
  take('server-hostname', BOOT_SERVER, '');
  take('boot-file-name', BOOT_FILE, '');
}

function addTimers({ report }: Context, values: LevelValues, fields: Fields, where: string): void {
  const take = (key: string, code: number): void => {
    const member = fields.get(key);
    const value = numberIn(fields, key);
    if (member === undefined || value === undefined || value > 0xffffffff) return;
    if (values.has(code)) {
      report.notCarried(member, `option ${code} of ${where} has a value already`);
      return;
    }
    values.set(code, value.toString(16).padStart(8, '0'));
    report.carried(member, `option ${code} of ${where}, which holds while it fits the lease that was granted`);
  };
  take('renew-timer', RENEWAL_TIME);
  take('rebind-timer', REBINDING_TIME);
}
