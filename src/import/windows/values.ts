/**
 * Texts of an export as values: time spans, instants, client identifiers.
 *
 * The structure of the file is known from published exports and from scripts that read such files. *Unverified*, because no file showed it, is:
 * the form of `LeaseExpiryTime` and what its absence means; whether binary option values are one text for each octet or one for all (both
 * are read); the names of settings of the whole server; whether failover relationships are in the file at all.
 */
import { fromHex } from '../../wire/units.ts';

const FOREVER_SEC = 0xffffffff;
const DAY_SEC = 86_400;

/** A .NET time span, `8.00:00:00` or `01:30:00`. What is beyond 32 bits has no end: Windows writes the longest span there is. */
export function readTimeSpan(text: string): number | undefined {
  const found = /^(?:(\d{1,8})\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.\d{1,7})?$/.exec(text);
  if (found === null) return undefined;
  const [days, hours, minutes, seconds] = [1, 2, 3, 4].map((i) => Number(found[i] ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  return Math.min(days * DAY_SEC + hours * 3600 + minutes * 60 + seconds, FOREVER_SEC);
}

export interface Instants {
  readonly earliest: number;
  readonly latest: number;
}

/** Of all time zones there are, in seconds east and west of Greenwich. */
const ZONE_EAST_SEC = 14 * 3600;
const ZONE_WEST_SEC = 12 * 3600;

/**
 * The instants that a date and time can mean, in seconds since 1970: one where it names its zone, and all that are possible where it does
 * not, so that no lease is taken to end before it does.
 */
export function readInstant(text: string): Instants | undefined {
  const found = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?$/.exec(text);
  if (found === null) return undefined;
  const [year, month, day, hours, minutes, seconds] = [1, 2, 3, 4, 5, 6].map((i) => Number(found[i])) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const at = Date.UTC(year, month - 1, day, hours, minutes, seconds) / 1000;
  if (month > 12 || month < 1 || day < 1 || day > 31 || hours > 23 || minutes > 59 || seconds > 59) return undefined;
  const zone = found[7];
  if (zone === undefined) return bounded(at - ZONE_EAST_SEC, at + ZONE_WEST_SEC);
  const offset = zone === 'Z' ? 0 : zoneSec(zone);
  return offset === undefined ? undefined : bounded(at - offset, at - offset);
}

function zoneSec(zone: string): number | undefined {
  const span = Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4, 6)) * 60;
  return span > ZONE_EAST_SEC ? undefined : zone.startsWith('-') ? -span : span;
}

/** Before 1970 is no time of a lease, and the last of 32 bits means no end. */
function bounded(earliest: number, latest: number): Instants {
  const within = (at: number): number => Math.min(Math.max(at, 0), FOREVER_SEC - 1);
  return { earliest: within(earliest), latest: within(latest) };
}

const IDENTIFIER_OCTETS_MAX = 255;

/** Octets of `00-15-5d-01-02-03` or `00155d010203`. */
export function readOctets(text: string): Uint8Array | undefined {
  const octets = fromHex(text.replace(/^0x/i, '').replace(/[-: ]/g, ''));
  return octets === undefined || octets.length === 0 || octets.length > IDENTIFIER_OCTETS_MAX ? undefined : octets;
}

export const HARDWARE_OCTETS = 6;
/** RFC 2132 9.14: an identifier that is a hardware address has its type in front. */
export const HTYPE_ETHERNET = 1;
