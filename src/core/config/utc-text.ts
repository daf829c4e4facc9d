/** An instant as people read it, in UTC. Worked out here, since core has no calendar of the system's. */
import type { EpochSec } from '../../wire/units.ts';

const DAY_SEC = 86_400;
/** Days of 400 Gregorian years, and from 0000-03-01 to 1970-01-01: years that begin in March put the leap day last. */
const ERA_DAYS = 146_097;
const DAYS_TO_1970 = 719_468;

/** `2026-11-24 23:40:01Z` */
export function utcText(at: EpochSec): string {
  const days = Math.floor(at / DAY_SEC) + DAYS_TO_1970;
  const era = Math.floor(days / ERA_DAYS);
  const dayOfEra = days - era * ERA_DAYS;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const seconds = at % DAY_SEC;
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(':');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)} ${clock}Z`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
