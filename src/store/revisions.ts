/**
 * The revisions of the configuration as numbered files in a directory of their own (design, part 3). It keeps bytes and knows nothing of what they
 * mean; which revision is in force, with the checksum of its bytes, is a record in the binding log.
 */
import { join } from 'node:path';
import { isSystemError } from './file-layer.ts';
import { TEMPORARY_SUFFIX } from './format.ts';
import { readFully } from './log-replay.ts';
import type { FileLayer } from './store-types.ts';

/** A larger file is refused, reading and writing. */
export const REVISION_BYTES_MAX = 64 * 1024 * 1024;
const REVISION_NUMBER_MAX = 9_999_999_999;
const NUMBER_DIGITS = 10;

export interface Revisions {
  /** Resolves when the revision is on disk with its name. One of the same number is replaced whole. */
  write(number: number, bytes: Uint8Array): Promise<void>;
  /** Undefined when there is none of that number. */
  read(number: number): Promise<Uint8Array | undefined>;
  /** All numbers, ascending. */
  list(): Promise<number[]>;
  /** Resolves when the name is gone for good; a number that is not there is no error. */
  remove(number: number): Promise<void>;
}

/** Opens the directory, making it when absent, and removes what a crash has left half written. System errors reject. */
export async function openRevisions(dir: string, layer: FileLayer): Promise<Revisions> {
  await layer.mkdir(dir);
  const leftovers = (await layer.list(dir)).filter(
    (name) => name.endsWith(TEMPORARY_SUFFIX) && parseNumber(name.slice(0, -TEMPORARY_SUFFIX.length)) !== undefined,
  );
  for (const name of leftovers) await layer.unlink(join(dir, name));
  if (leftovers.length > 0) await layer.syncDirectory(dir);
  return new RevisionFiles(dir, layer);
}

class RevisionFiles implements Revisions {
  readonly #dir: string;
  readonly #layer: FileLayer;
  /** Changes run one after the other, in the order of the calls. */
  #last: Promise<void> = Promise.resolve();

  constructor(dir: string, layer: FileLayer) {
    this.#dir = dir;
    this.#layer = layer;
  }

  write(number: number, bytes: Uint8Array): Promise<void> {
    const path = this.#path(number);
    if (bytes.length > REVISION_BYTES_MAX) {
      return Promise.reject(
        new Error(`a revision has at most ${REVISION_BYTES_MAX} bytes; this one has ${bytes.length}`),
      );
    }
    const copy = new Uint8Array(bytes);
    return this.#inTurn(async () => {
      const temporary = path + TEMPORARY_SUFFIX;
      const handle = await this.#layer.open(temporary, 'create');
      try {
        await handle.truncate(0);
        await handle.write(copy, 0);
        await handle.flush();
      } finally {
        await handle.close();
      }
      await this.#layer.rename(temporary, path);
      await this.#layer.syncDirectory(this.#dir);
    });
  }

  async read(number: number): Promise<Uint8Array | undefined> {
    const path = this.#path(number);
    const size = await this.#layer.size(path);
    if (size === undefined) return undefined;
    if (size > REVISION_BYTES_MAX) throw new Error(`${path} has ${size} bytes, more than any revision`);
    const handle = await this.#layer.open(path, 'read');
    try {
      const bytes = new Uint8Array(size);
      return bytes.subarray(0, await readFully(handle, bytes, 0));
    } finally {
      await handle.close();
    }
  }

  async list(): Promise<number[]> {
    const numbers: number[] = [];
    for (const name of await this.#layer.list(this.#dir)) {
      const number = parseNumber(name);
      if (number !== undefined) numbers.push(number);
    }
    return numbers.sort((a, b) => a - b);
  }

  remove(number: number): Promise<void> {
    const path = this.#path(number);
    return this.#inTurn(async () => {
      try {
        await this.#layer.unlink(path);
      } catch (cause) {
        if (isSystemError(cause) && cause.code === 'ENOENT') return;
        throw cause;
      }
      await this.#layer.syncDirectory(this.#dir);
    });
  }

  #path(number: number): string {
    if (!Number.isSafeInteger(number) || number < 1 || number > REVISION_NUMBER_MAX) {
      throw new RangeError(`a revision has a number from 1 to ${REVISION_NUMBER_MAX}, not ${number}`);
    }
    return join(this.#dir, 'revision-' + String(number).padStart(NUMBER_DIGITS, '0'));
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#last.then(change);
    // A change that failed is told to its caller; the next one is not its business.
    this.#last = done.catch(() => {});
    return done;
  }
}

function parseNumber(name: string): number | undefined {
  const found = /^revision-([0-9]{10})$/.exec(name);
  const number = Number(found?.[1]);
  return number >= 1 ? number : undefined;
}
