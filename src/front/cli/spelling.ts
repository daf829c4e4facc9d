/**
 * Spellings of the command line: Windows parameter names in kebab case, and time spans as people write them. What is refused
 * here is a mistake in the command line itself; whether a value makes sense is for the server to say.
 */

export type Read<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'bad'; readonly why: string; readonly at: number };

/** The wire's and Windows's word for "without end". */
const FOREVER_SEC = 0xffffffff;
const SECONDS_IN = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;
const UNITS = /(\d+)([smhdw])/g;
const TEXT_LENGTH_MAX = 64;

/** `MaxClientLeadTime` is `max-client-lead-time`, `IPAddress` is `ip-address`, `DnsRR` is `dns-rr`. */
export function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .toLowerCase();
}

/**
 * Seconds of `3600`, `90s`, `1h`, `1h30m`, `8d`, `01:00:00`, `8.00:00:00` (PowerShell's form of a TimeSpan) or `infinite`.
 */
export function readDuration(text: string): Read<number> {
  const given = text.trim().toLowerCase();
  if (given.length > TEXT_LENGTH_MAX) return bad('it is too long', TEXT_LENGTH_MAX);
  if (['infinite', 'unlimited', 'forever'].includes(given)) return ok(FOREVER_SEC);
  if (/^\d+$/.test(given)) return bounded(Number(given));
  const clock = /^(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(given);
  if (clock !== null) return readClock(clock);
  if (/^(\d+[smhdw])+$/.test(given)) {
    let total = 0;
    for (const [, count, unit] of given.matchAll(UNITS)) {
      total += Number(count) * SECONDS_IN[unit as keyof typeof SECONDS_IN];
    }
    return bounded(total);
  }
  return bad('a time span is seconds, or like 90s, 1h, 8d, 01:00:00 or 8.00:00:00', Math.max(given.search(/[^\d]/), 0));
}

function readClock(clock: RegExpExecArray): Read<number> {
  const [days, hours, minutes, seconds] = [1, 2, 3, 4].map((group) => Number(clock[group] ?? 0));
  if ((hours ?? 0) > 23) return bad('hours go up to 23; days stand before them, as in 1.02:00:00', 0);
  if ((minutes ?? 0) > 59 || (seconds ?? 0) > 59) return bad('minutes and seconds go up to 59', 0);
  return bounded((days ?? 0) * 86_400 + (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0));
}

/** `1h30m`, as `readDuration` reads it back; `infinite` for the span without end. */
export function durationText(totalSec: number): string {
  if (totalSec === FOREVER_SEC) return 'infinite';
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const;
  let rest = Math.max(0, Math.floor(totalSec));
  let text = '';
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text === '' ? '0s' : text;
}

function bounded(value: number): Read<number> {
  return value <= FOREVER_SEC ? ok(value) : bad(`it is more than ${FOREVER_SEC} seconds`, 0);
}

function ok<T>(value: T): Read<T> {
  return { kind: 'ok', value };
}

function bad(why: string, at: number): { readonly kind: 'bad'; readonly why: string; readonly at: number } {
  return { kind: 'bad', why, at };
}
