/**
 * What the settings of levels inside one another come to, as dhcpd works it out when it answers: it executes them from the outermost
 * to the innermost, and the later one wins. Options inside others are joined here, and the boot parameters become options 66 and 67.
 */
import type { Branch, Declared, Level, Setting } from './model.ts';
import { parameterKey } from './model.ts';
import { DHCP_SPACE, type OptionSpace } from './option-types.ts';
import { latin1 } from './option-values.ts';

export interface Effective {
  readonly octets: Uint8Array;
  readonly text: string;
  /** All settings that it is made of. */
  readonly sources: readonly Setting[];
}

export type Settled = ReadonlyMap<string, Effective>;

export function settle(levels: readonly Level[], active?: Branch): Settled {
  const settled = new Map<string, Effective>();
  for (const level of levels) {
    for (const item of level.items) {
      if (item.kind === 'setting') apply(settled, item);
      else if (item === active) for (const setting of item.settings) apply(settled, setting);
    }
  }
  return settled;
}

function apply(settled: Map<string, Effective>, setting: Setting): void {
  const { key, octets, text } = setting;
  const before = settled.get(key);
  if (before === undefined || setting.how === 'set') {
    settled.set(key, { octets, text, sources: [setting] });
    return;
  }
  if (setting.how === 'default') return;
  const parts = setting.how === 'append' ? [before.octets, octets] : [octets, before.octets];
  const joined = Uint8Array.from(parts.flatMap((part) => [...part]));
  settled.set(key, { octets: joined, text, sources: [...before.sources, setting] });
}

export function parameter(settled: Settled, name: string): Effective | undefined {
  return settled.get(parameterKey(name));
}

export const BOOT_SERVER = 66;
export const BOOT_FILE = 67;

/** The options by number as they would be sent. */
export function optionsOf(settled: Settled, declared: Declared): ReadonlyMap<number, Effective> {
  const options = new Map<number, Effective>();
  for (const [key, value] of settled) {
    const code = codeOf(key, DHCP_SPACE);
    if (code !== undefined) options.set(code, value);
  }
  for (const [code, value] of encapsulations(settled, declared)) options.set(code, value);
  addBoot(options, settled);
  return options;
}

function codeOf(key: string, space: string): number | undefined {
  return key.startsWith(`${space}:`) ? Number(key.slice(space.length + 1)) : undefined;
}

/** Options whose type is another space, and option 43 for the space that `vendor-option-space` names. */
function* encapsulations(settled: Settled, declared: Declared): Generator<readonly [number, Effective]> {
  for (const { code, type } of declared.spaces.get(DHCP_SPACE)?.options.values() ?? []) {
    if (type.fields[0] !== 'encapsulated' || type.space === undefined || type.space === '') continue;
    const space = declared.spaces.get(type.space);
    const inner = space === undefined ? undefined : joinedSpace(settled, space);
    if (inner !== undefined) yield [code, inner];
  }
  const named = parameter(settled, 'vendor-option-space');
  const space = declared.spaces.get(named?.text ?? '');
  const inner = space === undefined ? undefined : joinedSpace(settled, space);
  if (named !== undefined && inner !== undefined)
    yield [VENDOR_OPTIONS, { ...inner, sources: [...inner.sources, ...named.sources] }];
}

const VENDOR_OPTIONS = 43;

/** RFC 2132 8.4, with the widths of the space; undefined where nothing of it is set. */
function joinedSpace(settled: Settled, space: OptionSpace): Effective | undefined {
  const parts: { readonly code: number; readonly value: Effective }[] = [];
  for (const [key, value] of settled) {
    const code = codeOf(key, space.name);
    // What is too long for its length cannot be sent; dhcpd leaves it out too.
    if (code !== undefined && value.octets.length < 256 ** space.lengthBytes) parts.push({ code, value });
  }
  if (parts.length === 0) return undefined;
  parts.sort((a, b) => a.code - b.code);
  const octets = parts.flatMap(({ code, value }) => [
    ...bigEndian(code, space.codeBytes),
    ...bigEndian(value.octets.length, space.lengthBytes),
    ...value.octets,
  ]);
  return { octets: Uint8Array.from(octets), text: '', sources: parts.flatMap(({ value }) => value.sources) };
}

function bigEndian(value: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** (width - 1 - i)) & 255);
}

/**
 * This server fills siaddr, sname and file from options 66 and 67. Where a file has both the field and the option, the option stays:
 * it is what a client asks for by number.
 */
function addBoot(options: Map<number, Effective>, settled: Settled): void {
  const server = parameter(settled, 'next-server') ?? parameter(settled, 'server-name');
  if (server !== undefined && !options.has(BOOT_SERVER))
    options.set(BOOT_SERVER, { ...server, octets: Uint8Array.from(latin1(server.text)) });
  const file = parameter(settled, 'filename');
  if (file !== undefined && !options.has(BOOT_FILE)) options.set(BOOT_FILE, file);
}
