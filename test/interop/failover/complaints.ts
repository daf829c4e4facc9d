/**
 * What dhcpd writes to its log beyond its ordinary notices. The list of what two dhcpd say to each other in the same cases is kept as data,
 * with a reason for each entry, so that what it says of us and of nobody else stands out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface KnownLines {
  /** Ordinary notices: regular expressions over normalised lines. */
  readonly notices: readonly string[];
  /** What a pair of dhcpd complains of, too. */
  readonly complaints: readonly {
    readonly pattern: string;
    /** Beginnings of the names of the cases where two dhcpd show it; all cases when absent. */
    readonly cases?: readonly string[];
    readonly reason: string;
  }[];
}

/** Tests run in the root of the project. */
const DATA = join('test', 'interop', 'failover', 'dhcpd-log.json');

let known: KnownLines | undefined;

/** With addresses, numbers and pointers replaced, so that the same thing said twice is the same line. */
export function normalised(line: string): string {
  return line
    .trimEnd()
    .replace(/\b\d{1,3}(\.\d{1,3}){3}\b/g, 'IP')
    .replace(/\b([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}\b/gi, 'MAC')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{8,16}\b/g, 'HEX')
    .replace(/-?\b\d+\b/g, 'N');
}

/** Each kind of line that is neither a notice nor allowed in this case, with an example and how often it came. */
export function complaints(caseName: string, log: string): string[] {
  known ??= JSON.parse(readFileSync(DATA, 'utf8')) as KnownLines;
  const allowed = [
    ...known.notices,
    ...known.complaints
      .filter(({ cases }) => cases === undefined || cases.some((begin) => caseName.startsWith(begin)))
      .map(({ pattern }) => pattern),
  ].map((pattern) => new RegExp(`^(?:${pattern})$`));
  const found = new Map<string, { count: number; example: string }>();
  for (const line of log.split('\n')) {
    const key = normalised(line);
    if (key === '' || allowed.some((pattern) => pattern.test(key))) continue;
    const before = found.get(key);
    found.set(key, { count: (before?.count ?? 0) + 1, example: before?.example ?? line });
  }
  return [...found.values()].map(({ count, example }) => `dhcpd complains (${count} times): ${example}`);
}
