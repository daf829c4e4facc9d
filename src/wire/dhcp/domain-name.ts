/**
 * DNS names inside options: RFC 1035 wire form with the compression of RFC 3397, to and from the text form of RFC 1035 5.1
 * (a dot between labels, `\.` and `\\` for those characters inside a label, `\DDD` for anything that is not printable ASCII).
 * Internationalized names are not converted: an operator writes the A-label.
 */
import { type Bad, bad, ok, type Read } from '../units.ts';

/** RFC 1035 2.3.4. */
export const LABEL_BYTES_MAX = 63;
export const NAME_BYTES_MAX = 255;
/** A compressed list can name very many names in few bytes; no use for more than this is known. */
export const NAMES_PER_OPTION_MAX = 256;
/** RFC 1035 4.1.4: a pointer has 14 bits. */
const POINTER_MAX = 0x3fff;

/** A name as its labels. `isRooted` is false when the closing empty label is missing (partial names of RFC 4702 2.3.1). */
export interface DomainName {
  readonly labels: readonly Uint8Array[];
  readonly isRooted: boolean;
}

/**
 * Reads one name that begins at `at`. Pointers must lead backwards, so that reading ends. `next` is where the following
 * name begins. With `mayBePartial` the bytes may end instead of the closing empty label.
 */
export function readDomainName(
  bytes: Uint8Array,
  at: number,
  mayBePartial = false,
): { readonly kind: 'ok'; readonly name: DomainName; readonly next: number } | Bad {
  const labels: Uint8Array[] = [];
  let size = 1;
  let position = at;
  let lowest = at;
  let next = -1;
  for (;;) {
    if (position >= bytes.length) {
      if (mayBePartial && next < 0) return { kind: 'ok', name: { labels, isRooted: false }, next: position };
      return bad('a domain name runs past the end', position);
    }
    const length = bytes[position]!;
    if (length === 0) {
      return { kind: 'ok', name: { labels, isRooted: true }, next: next < 0 ? position + 1 : next };
    }
    if (length >= 0xc0) {
      if (position + 1 >= bytes.length) return bad('a compression pointer is cut off', position);
      const target = ((length & 0x3f) << 8) | bytes[position + 1]!;
      if (target >= lowest) return bad('a compression pointer does not lead backwards', position);
      if (next < 0) next = position + 2;
      position = target;
      lowest = target;
      continue;
    }
    if (length > LABEL_BYTES_MAX) return bad('a label has a reserved length', position);
    const end = position + 1 + length;
    if (end > bytes.length) return bad('a label runs past the end', position);
    size += 1 + length;
    if (size > NAME_BYTES_MAX) return bad(`a domain name is longer than ${NAME_BYTES_MAX} bytes`, position);
    labels.push(new Uint8Array(bytes.subarray(position + 1, end)));
    position = end;
  }
}

/** Reads names until the bytes end. */
export function readDomainNames(bytes: Uint8Array, from = 0): Read<string[]> {
  const names: string[] = [];
  let at = from;
  while (at < bytes.length) {
    if (names.length === NAMES_PER_OPTION_MAX) return bad(`more than ${NAMES_PER_OPTION_MAX} domain names`, at);
    const read = readDomainName(bytes, at);
    if (read.kind === 'bad') return read;
    names.push(domainNameText(read.name.labels));
    at = read.next;
  }
  if (names.length === 0) return bad('no domain name', from);
  return ok(names);
}

/** The text form without the closing dot; the root alone is `.`. */
export function domainNameText(labels: readonly Uint8Array[]): string {
  if (labels.length === 0) return '.';
  let text = '';
  for (const label of labels) {
    if (text !== '') text += '.';
    for (let i = 0; i < label.length; i++) {
      const octet = label[i]!;
      if (octet === 0x2e || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`;
      else if (octet > 0x20 && octet < 0x7f) text += String.fromCharCode(octet);
      else text += `\\${String(octet).padStart(3, '0')}`;
    }
  }
  return text;
}

/** Reads the text form; a closing dot is allowed, and told by `isRooted`. */
export function parseDomainName(text: string): Read<DomainName> {
  if (text === '') return bad('a domain name is empty', 0);
  if (text === '.') return ok({ labels: [], isRooted: true });
  const labels: Uint8Array[] = [];
  let label: number[] = [];
  let size = 1;
  let at = 0;
  let endsWithDot = false;
  while (at < text.length) {
    const character = text.charCodeAt(at);
    if (character === 0x2e) {
      const closed = closeLabel(labels, label, at);
      if (closed !== undefined) return closed;
      size += 1 + label.length;
      label = [];
      endsWithDot = true;
      at++;
      continue;
    }
    endsWithDot = false;
    const read = readCharacter(text, at);
    if (read.kind === 'bad') return read;
    label.push(read.octet);
    at = read.next;
  }
  if (!endsWithDot) {
    const closed = closeLabel(labels, label, at);
    if (closed !== undefined) return closed;
    size += 1 + label.length;
  }
  if (size > NAME_BYTES_MAX) return bad(`a domain name is longer than ${NAME_BYTES_MAX} bytes`, at);
  return ok({ labels, isRooted: endsWithDot });
}

function closeLabel(labels: Uint8Array[], label: readonly number[], at: number): Bad | undefined {
  if (label.length === 0) return bad('a domain name has an empty label', at);
  if (label.length > LABEL_BYTES_MAX) return bad(`a label is longer than ${LABEL_BYTES_MAX} bytes`, at);
  labels.push(Uint8Array.from(label));
  return undefined;
}

function readCharacter(text: string, at: number): { kind: 'ok'; octet: number; next: number } | Bad {
  const character = text.charCodeAt(at);
  if (character <= 0x20 || character >= 0x7f)
    return bad('a domain name has a character that is not printable ASCII', at);
  if (character !== 0x5c) return { kind: 'ok', octet: character, next: at + 1 };
  const digits = text.slice(at + 1, at + 4);
  if (/^[0-9]{3}$/.test(digits)) {
    const octet = Number(digits);
    if (octet > 255) return bad('an escape in a domain name is above 255', at);
    return { kind: 'ok', octet, next: at + 4 };
  }
  const escaped = text.charCodeAt(at + 1);
  if (Number.isNaN(escaped) || escaped <= 0x20 || escaped >= 0x7f || (escaped >= 0x30 && escaped <= 0x39)) {
    return bad('an escape in a domain name is incomplete', at);
  }
  return { kind: 'ok', octet: escaped, next: at + 2 };
}

/** The wire form of one name, closed by the empty label when it is rooted, without compression. */
export function writeDomainName(name: DomainName): Uint8Array {
  const octets: number[] = [];
  for (const label of name.labels) octets.push(label.length, ...label);
  if (name.isRooted) octets.push(0);
  return Uint8Array.from(octets);
}

/**
 * The wire form of a list. With `compress`, a tail that was written before is replaced by a pointer (RFC 3397 2); pointers
 * count from the first byte of the value. Letter case is kept, so only tails of the same case are shared.
 */
export function writeDomainNames(names: readonly string[], compress: boolean): Read<Uint8Array> {
  const octets: number[] = [];
  const offsets = new Map<string, number>();
  for (const [index, text] of names.entries()) {
    const parsed = parseDomainName(text);
    if (parsed.kind === 'bad') return bad(parsed.why, index);
    const labels = parsed.value.labels;
    let i = 0;
    for (; i < labels.length; i++) {
      const tail = domainNameText(labels.slice(i));
      const offset = compress ? offsets.get(tail) : undefined;
      if (offset !== undefined) {
        octets.push(0xc0 | (offset >> 8), offset & 255);
        break;
      }
      if (octets.length <= POINTER_MAX) offsets.set(tail, octets.length);
      octets.push(labels[i]!.length, ...labels[i]!);
    }
    if (i === labels.length) octets.push(0);
  }
  return ok(Uint8Array.from(octets));
}
