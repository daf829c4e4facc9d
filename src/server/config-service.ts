/**
 * The configuration in force and its numbered revisions. A revision is a file first and a record in the binding log after, in
 * one order with the bindings; the record is what puts it in force (design, part 3).
 */
import { createHash } from 'node:crypto';
import { checkConfig } from '../core/config/checks.ts';
import { defaultConfig } from '../core/config/defaults.ts';
import type { Config, Revision } from '../core/config/model.ts';
import { parseConfig } from '../core/config/schema.ts';
import { faultProblem } from '../core/problems/config-faults.ts';
import type { Revisions } from '../store/revisions.ts';
import type { ConfigChange, ConfigOutcome } from './control.ts';

/** Revisions kept; older ones go. */
export const REVISIONS_MAX = 1000;

/** What the server does to put a revision in force: appends its record and reconfigures the core; resolves when durable. */
export type Enforce = (revision: Revision, sha256: Uint8Array, change: ConfigChange) => Promise<void>;

export class ConfigService {
  readonly #revisions: Revisions;
  readonly #enforce: Enforce;
  readonly #nowSec: () => number;
  #present: Revision;
  /** Changes are made one at a time, in the order of the calls. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(revisions: Revisions, present: Revision, enforce: Enforce, nowSec: () => number) {
    this.#revisions = revisions;
    this.#present = present;
    this.#enforce = enforce;
    this.#nowSec = nowSec;
  }

  get present(): Revision {
    return this.#present;
  }

  change(change: ConfigChange): Promise<ConfigOutcome> {
    const done = this.#queue.then(() => this.#make(change));
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async history(): Promise<readonly Omit<Revision, 'config'>[]> {
    const found: Omit<Revision, 'config'>[] = [];
    for (const number of await this.#revisions.list()) {
      const revision = await this.read(number);
      if (revision === undefined || number > this.#present.number) continue;
      const { config: _config, ...head } = revision;
      found.push(head);
    }
    return found;
  }

  read(number: number): Promise<Revision | undefined> {
    return readRevision(this.#revisions, number);
  }

  async #make(change: ConfigChange): Promise<ConfigOutcome> {
    if (change.base !== this.#present.number) return { kind: 'stale', present: this.#present.number };
    const faults = checkConfig(change.config);
    if (faults.length > 0) return { kind: 'bad', problems: faults.map(faultProblem) };
    const revision: Revision = {
      number: this.#present.number + 1,
      madeAt: this.#nowSec(),
      by: change.by,
      what: change.what,
      transaction: change.transaction ?? null,
      config: change.config,
    };
    const bytes = Buffer.from(JSON.stringify(revision, null, 1));
    await this.#revisions.write(revision.number, bytes);
    this.#present = revision;
    await this.#enforce(revision, createHash('sha256').update(bytes).digest(), change);
    const oldest = revision.number - REVISIONS_MAX;
    if (oldest > 0) await this.#revisions.remove(oldest);
    return { kind: 'ok', revision };
  }
}

export async function readRevision(revisions: Revisions, number: number): Promise<Revision | undefined> {
  const bytes = await revisions.read(number);
  if (bytes === undefined) return undefined;
  const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Revision;
  const parsed = parseConfig(value.config);
  if (parsed.kind === 'bad') {
    const first = parsed.faults[0];
    throw new Error(
      `configuration revision ${number} cannot be read: ${first?.path ?? ''}: ${first?.what ?? 'unknown fault'}`,
    );
  }
  return { ...value, config: parsed.config };
}

/** SHA-256 of a stored revision's file, as its log record names it; undefined when there is none. */
export async function revisionHash(revisions: Revisions, number: number): Promise<Uint8Array | undefined> {
  const bytes = await revisions.read(number);
  return bytes === undefined ? undefined : createHash('sha256').update(bytes).digest();
}

export function firstRevision(serverName: string, madeAt: number): { revision: Revision; bytes: Uint8Array } {
  const config: Config = defaultConfig(serverName);
  const revision: Revision = { number: 1, madeAt, by: 'server', what: 'first start', transaction: null, config };
  return { revision, bytes: Buffer.from(JSON.stringify(revision, null, 1)) };
}
