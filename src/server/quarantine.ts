/**
 * A packet or partner message on which an assertion failed must not end the process twice (design, part 2 "An assertion"): its
 * fingerprint is written before the process ends, and after the restart the same input is dropped and reported.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Fingerprints kept; the oldest goes first. */
const FINGERPRINTS_MAX = 256;
/** Ends within this time that make a problem of their own. */
const ENDS_WINDOW_SEC = 600;
const ENDS_MAX = 3;

interface Entry {
  readonly fingerprint: string;
  readonly what: 'client-packet' | 'partner-message';
  readonly why: string;
  readonly at: number;
}

export class Quarantine {
  readonly #path: string;
  #entries: Entry[];
  readonly #known: Set<string>;

  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, 'quarantine.json');
    this.#entries = readEntries(this.#path);
    this.#known = new Set(this.#entries.map((entry) => entry.fingerprint));
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  get isEmpty(): boolean {
    return this.#known.size === 0;
  }

  /** Whether the process ended so often of late that an operator must look. */
  hasEndedOften(atSec: number): boolean {
    return this.#entries.filter((entry) => atSec - entry.at < ENDS_WINDOW_SEC).length >= ENDS_MAX;
  }

  has(fingerprint: string): boolean {
    return this.#known.has(fingerprint);
  }

  /** Written and flushed before it returns: the process ends next. */
  add(entry: Entry): void {
    this.#entries = [...this.#entries, entry].slice(-FINGERPRINTS_MAX);
    const temporary = `${this.#path}.tmp`;
    const fd = openSync(temporary, 'w', 0o600);
    writeSync(fd, JSON.stringify(this.#entries, null, 1));
    fsyncSync(fd);
    closeSync(fd);
    renameSync(temporary, this.#path);
    const directory = openSync(dirname(this.#path), 'r');
    fsyncSync(directory);
    closeSync(directory);
  }
}

/** The packet without what changes from one transmission to the next: transaction id and seconds elapsed (RFC 2131 2). */
export function packetFingerprint(bytes: Uint8Array): string {
  const copy = Uint8Array.from(bytes);
  copy.fill(0, 4, 10);
  return createHash('sha256').update(copy).digest('hex');
}

/** The frame without its time and transaction id (specification 1.2). */
export function frameFingerprint(frame: Uint8Array): string {
  const copy = Uint8Array.from(frame);
  copy.fill(0, 4, 12);
  return createHash('sha256').update(copy).digest('hex');
}

function readEntries(path: string): Entry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Absent on a server that never met one; unreadable is the same: the input is then met once more.
    return [];
  }
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is Entry {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Entry).fingerprint === 'string' &&
    typeof (value as Entry).at === 'number'
  );
}
