/**
 * The real files of the machine behind `FileLayer`: positioned reads and writes on descriptors, fdatasync, fsync of directories.
 * It leaves out every rule of the store; it only turns what the kernel says into a resolved or a rejected promise.
 */
import {
  close,
  constants,
  fdatasync,
  fsync,
  ftruncate,
  mkdir,
  open,
  read,
  readdir,
  rename,
  stat,
  unlink,
  write,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { FileHandleLayer, FileLayer } from './store-types.ts';

/** Files hold leases of clients and keys, so nobody but the service's user reads them. */
export const FILE_MODE = 0o600;
export const DIRECTORY_MODE = 0o700;

/** The kernel took fewer bytes than it was given: a full disk or a size limit. Looks like a system error. */
export class ShortWriteError extends Error {
  override readonly name = 'ShortWriteError';
  readonly code = 'ENOSPC';
  readonly errno = -28;

  constructor(written: number, wanted: number) {
    super(`ENOSPC: only ${written} of ${wanted} bytes were written (is the disk full?)`);
  }
}

/** A failed call of the system, in contrast to a fault of this program. */
export function isSystemError(thrown: unknown): thrown is Error & { readonly code: string } {
  return thrown instanceof Error && 'code' in thrown && 'errno' in thrown && typeof thrown.errno === 'number';
}

/** The file layer of the running system. There is one, so that the store can tell it from a layer made by a test. */
export const nodeFileLayer: FileLayer = {
  async mkdir(path) {
    const wanted = resolve(path);
    const first = await new Promise<string | undefined>((done, failed) => {
      mkdir(wanted, { recursive: true, mode: DIRECTORY_MODE }, (error, made) => (error ? failed(error) : done(made)));
    });
    if (first === undefined) return;
    // Each new name lies in a directory that must be flushed for the name to last: those from the parent of the
    // uppermost one made down to the parent of the wanted one.
    for (let made = wanted; ; made = dirname(made)) {
      await syncDirectory(dirname(made));
      if (made === first || made === dirname(made)) break;
    }
  },
  list(path) {
    return new Promise((done, failed) => {
      readdir(path, (error, names) => (error ? failed(error) : done(names)));
    });
  },
  async open(path, how) {
    return new NodeFile(await openDescriptor(path, FLAGS[how]));
  },
  rename(from, to) {
    return call((back) => rename(from, to, back));
  },
  unlink(path) {
    return call((back) => unlink(path, back));
  },
  syncDirectory,
  size(path) {
    return new Promise((done, failed) => {
      stat(path, (error, found) => {
        if (error === null) done(found.size);
        else if (error.code === 'ENOENT') done(undefined);
        else failed(error);
      });
    });
  },
};

/** O_APPEND is left out: with it Linux ignores the position that a write names. */
const FLAGS = {
  read: constants.O_RDONLY,
  append: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT,
} as const;

class NodeFile implements FileHandleLayer {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return new Promise((done, failed) => {
      write(this.#descriptor, bytes, 0, bytes.length, position, (error, written) => {
        if (error !== null) failed(error);
        else if (written !== bytes.length) failed(new ShortWriteError(written, bytes.length));
        else done();
      });
    });
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((done, failed) => {
      read(this.#descriptor, into, 0, into.length, position, (error, count) => (error ? failed(error) : done(count)));
    });
  }

  truncate(length: number): Promise<void> {
    return call((back) => ftruncate(this.#descriptor, length, back));
  }

  flush(): Promise<void> {
    return call((back) => fdatasync(this.#descriptor, back));
  }

  close(): Promise<void> {
    return call((back) => close(this.#descriptor, back));
  }
}

async function syncDirectory(path: string): Promise<void> {
  const descriptor = await openDescriptor(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await call((back) => fsync(descriptor, back));
  } finally {
    await call((back) => close(descriptor, back));
  }
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((done, failed) => {
    open(path, flags, FILE_MODE, (error, descriptor) => (error ? failed(error) : done(descriptor)));
  });
}

function call(start: (back: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((done, failed) => {
    start((error) => (error ? failed(error) : done()));
  });
}
