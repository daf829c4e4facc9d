/** The octets of an option from the text of its `data` (ARM, "DHCPv4 vendor-specific options" and "Standard DHCPv4 options"). */
import { writeDomainNames } from '../../wire/dhcp/domain-name.ts';
import { bad, fromHex, ok, parseIp4, type Read } from '../../wire/units.ts';
import { lookUp } from '../look-up.ts';
import type { KeaDefinition, KeaType } from './option-definitions.ts';

const ELEMENTS_MAX = 2048;

/** `data` where `csv-format` holds: elements with commas between them; a comma inside one has a backslash before it. */
export function octetsFromText(definition: KeaDefinition, data: string): Read<Uint8Array> {
  const { fields, isArray } = definition;
  if (fields.length === 1 && fields[0] === 'empty') return ok(new Uint8Array());
  const texts = elementsOf(data);
  if (texts.length > ELEMENTS_MAX) return bad('it has too many elements', ELEMENTS_MAX);
  if (texts.length < fields.length) return bad(`it has fewer than ${fields.length} elements`, texts.length);
  const octets: number[] = [];
  for (const [i, text] of texts.entries()) {
    const type = fields[i] ?? (isArray ? fields.at(-1) : undefined);
    // Kea leaves what follows the last field away.
    if (type === undefined) break;
    const read = octetsOf(type, text);
    if (read.kind === 'bad') return read;
    octets.push(...read.value);
  }
  return ok(Uint8Array.from(octets));
}

/** `data` where `csv-format` does not hold, and identifiers: hexadecimal in any of Kea's forms, or text in single quotes. */
export function octetsFromHex(data: string): Read<Uint8Array> {
  const given = data.trim();
  const quoted = /^'(.*)'$/s.exec(given);
  if (quoted !== null) return ok(new TextEncoder().encode(quoted[1] ?? ''));
  const digits = given.replace(/^0x/i, '');
  // With separators Kea lets an octet be a single digit.
  const parts = /[: ]/.test(digits) ? digits.split(/[: ]/).map((part) => part.padStart(2, '0')) : [digits];
  if (parts.length > 1 && parts.some((part) => part.length !== 2)) return bad('it is not hexadecimal', 0);
  const hex = parts.join('');
  const octets = hex === '' ? new Uint8Array() : fromHex(hex.length % 2 === 0 ? hex : `0${hex}`);
  return octets === undefined ? bad('it is not hexadecimal', 0) : ok(octets);
}

function elementsOf(data: string): string[] {
  const texts: string[] = [];
  let text = '';
  for (let i = 0; i < data.length; i++) {
    if (data[i] === '\\' && data[i + 1] === ',') {
      text += ',';
      i++;
    } else if (data[i] === ',') {
      texts.push(text.trim());
      text = '';
    } else text += data[i];
  }
  texts.push(text.trim());
  return texts;
}

const WIDTHS: Readonly<Partial<Record<KeaType, { readonly bytes: 1 | 2 | 4; readonly isSigned: boolean }>>> = {
  int8: { bytes: 1, isSigned: true },
  int16: { bytes: 2, isSigned: true },
  int32: { bytes: 4, isSigned: true },
  uint8: { bytes: 1, isSigned: false },
  uint16: { bytes: 2, isSigned: false },
  uint32: { bytes: 4, isSigned: false },
};

function octetsOf(type: KeaType, text: string): Read<Uint8Array> {
  switch (type) {
    case 'int8':
    case 'int16':
    case 'int32':
    case 'uint8':
    case 'uint16':
    case 'uint32':
      return integer(type, text);
    case 'boolean':
      if (/^(true|1)$/i.test(text)) return ok(Uint8Array.of(1));
      return /^(false|0)$/i.test(text) ? ok(Uint8Array.of(0)) : bad('it is neither true nor false', 0);
    case 'ipv4-address': {
      const address = parseIp4(text);
      return address === undefined ? bad(`${text} is not an IPv4 address`, 0) : ok(big(address, 4));
    }
    case 'string':
      return text === '' ? bad('the text is empty', 0) : ok(new TextEncoder().encode(text));
    case 'tuple': {
      const octets = new TextEncoder().encode(text);
      return octets.length > 255 ? bad('the text is too long', 0) : ok(Uint8Array.of(octets.length, ...octets));
    }
    case 'fqdn':
      return writeDomainNames([text.endsWith('.') ? text : `${text}.`], false);
    case 'binary':
      return octetsFromHex(text);
    case 'empty':
      return ok(new Uint8Array());
    case 'ipv6-address':
    case 'ipv6-prefix':
    case 'psid':
    case 'record':
      return bad(`values of the type ${type} are not read`, 0);
    default:
      return type satisfies never;
  }
}

function integer(type: KeaType, text: string): Read<Uint8Array> {
  const width = lookUp(WIDTHS, type);
  const value = /^-?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (width === undefined || Number.isNaN(value)) return bad(`${text} is not a number`, 0);
  const span = 2 ** (8 * width.bytes);
  const [least, most] = width.isSigned ? [-span / 2, span / 2 - 1] : [0, span - 1];
  if (value < least || value > most) return bad(`${text} does not fit`, 0);
  return ok(big(value < 0 ? value + span : value, width.bytes));
}

function big(value: number, bytes: 1 | 2 | 4): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * (bytes - 1 - i))) & 0xff);
}
