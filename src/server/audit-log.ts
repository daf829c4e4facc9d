/**
 * Every change that an operator made, one JSON object a line, flushed before the answer goes out. The file is put aside when
 * it has grown, and a bounded number of old ones is kept.
 */
import { closeSync, fstatSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';

/** Tens of thousands of changes; a file above it is put aside. */
export const AUDIT_BYTES_MAX = 16 * 1024 * 1024;
/** Files put aside: `audit.log.1` is the newest. */
export const AUDIT_FILES_KEPT = 9;

export class AuditLog {
  readonly #path: string;
  readonly #bytesMax: number;

  constructor(path: string, bytesMax = AUDIT_BYTES_MAX) {
    this.#path = path;
    this.#bytesMax = bytesMax;
  }

  /** A failed write throws: a change must not go unrecorded. */
  append(entry: unknown): void {
    const fd = openSync(this.#path, 'a', 0o600);
    try {
      writeSync(fd, `${JSON.stringify(entry)}\n`);
      fsyncSync(fd);
      if (fstatSync(fd).size >= this.#bytesMax) this.#putAside();
    } finally {
      closeSync(fd);
    }
  }

  #putAside(): void {
    for (let number = AUDIT_FILES_KEPT; number > 1; number--)
      renameIfThere(`${this.#path}.${number - 1}`, `${this.#path}.${number}`);
    renameSync(this.#path, `${this.#path}.1`);
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
